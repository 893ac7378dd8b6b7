-- Writes down every change of state that really happens, to hold it against the drawn state machines.
create table observed_move (machine text not null, source text not null, target text not null);

create function observe_move() returns trigger language plpgsql security definer as $$
begin
    if old.state is distinct from new.state then
        insert into observed_move values (tg_table_name, old.state::text, new.state::text);
    end if;
    return null;
end
$$;

create trigger observe_job after update on job for each row execute function observe_move();
create trigger observe_run after update on run for each row execute function observe_move();
create trigger observe_executor after update on executor for each row execute function observe_move();
create trigger observe_notification after update on notification for each row execute function observe_move();
