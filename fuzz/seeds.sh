#!/usr/bin/env bash
# Files that the program writes, for fuzzing to begin with. Usage: seeds.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
mkdir -p corpus/{points_csv,points_parquet,data,records,runs,expression}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(
  cd "$work"
  "$program" sweep levy --d 3 --n 4 --hidden 2 --rates 1 --seeds 1 --optimizer shallow --iterations 30 --store store --output summary.parquet >/dev/null
  "$program" run levy --d 3 --n 4 --hidden 2 --iterations 30 --output run.parquet >/dev/null
  "$program" evaluate levy --points summary-points.parquet --output values.parquet >/dev/null
) 2>/dev/null
cp "$work"/*-point*.parquet corpus/points_parquet
cp "$work"/*.parquet corpus/data
find "$work/store" -name '*.parquet' -exec cp {} corpus/runs \;
cp "$work"/*.parquet corpus/runs
for record in "$work"/store/*/subject.json; do { printf 1; cat "$record"; } >corpus/records/subject; done
for record in "$work"/store/*/asked/*.json; do { printf 0; cat "$record"; } >corpus/records/asked; done
printf 'x0,x1\n0.5,0.25\n1,0\n' >corpus/points_csv/x
printf '# "u0";"u1";"seed"\n-5;5;1\n' >corpus/points_csv/u
printf '\xef\xbb\xbfx0\tbest\r\n0.5\t1e-3\r\n' >corpus/points_csv/tabs
printf '1a,b\n1,2\n3,4\n' >corpus/data/matrix
number=0
while IFS= read -r line; do
  number=$((number + 1))
  printf '%s' "$line" >"corpus/expression/$number"
done <<'END'
sum(u^2 - 10*cos(2*pi*u) + 10)
r = A @ u - u[:2]; sum(r^2)
i, j = pairs(d); sum(where(u[i] < u[j], abs(u[i] - u[j]), 0))
m = reshape(concatenate([u, u]), 2, 3); max(sum(m, axis=1)) + norm(b) # comment
logsumexp(u[::2]) + prod(x) ** 0.5 / size(u) - take(u, [0, 2])[1]
sum(clip(cumsum(arange(3) * u), -1, 1e3)) + dot(b, transpose(A) @ [1, 2])
END
