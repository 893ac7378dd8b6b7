-- name: CountLoans :one
-- @required
select count(*)::bigint as loans from loan l where l.state = @state::loan_state;
