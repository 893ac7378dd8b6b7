# Runs only when every test has succeeded.
set -euo pipefail

echo "unit, integration and speed have passed"
echo "commit ${HOWDAH_COMMIT:-unknown} is good"
