# Stands for a compiler: checks that every script parses.
set -euo pipefail

for script in ci/*.sh; do
  echo "checking $script"
  bash -n "$script"
done
echo "all scripts parse"
