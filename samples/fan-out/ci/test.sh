# Stands for a test suite: `test.sh NAME` runs $ROUNDS rounds.
set -euo pipefail

name=$1
for ((round = 1; round <= ROUNDS; round++)); do
  sum=$((round * (round + 1) / 2))
  expected=0
  for ((i = 1; i <= round; i++)); do expected=$((expected + i)); done
  if ((sum != expected)); then
    echo "$name: round $round: $sum is not $expected" >&2
    exit 1
  fi
  echo "$name: round $round of $ROUNDS passed"
  sleep 0.2
done
