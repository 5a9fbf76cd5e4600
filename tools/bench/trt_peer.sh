#!/bin/bash
# octet beside a TensorRT that is already installed, on the same ONNX files: see usage().
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

usage() {
  cat <<'TEXT'
tools/bench/trt_peer.sh [OPTIONS]
Builds and times CLIP ViT-L/14 with your own trtexec and with octet: the same ONNX files, FP16 and FP8, image and text tower, CUDA graph,
no transfers; prints one Markdown table. Nothing of TensorRT comes with octet; without it this exits with 4.
  --trtexec FILE   (default: trtexec of the PATH, then /usr/src/tensorrt/bin/trtexec)
  --octet FILE     (default: build/release/octet)
  --files DIR      {fp16,fp8}/{image,text}.onnx and .plan, as `tools/bench/gpu_run.sh files` makes them (default: build/gpu-bench)
  --batch N        (default: 128)
  --seconds N      of timed runs, each (default: 3)
  --device NAME    octet's --device (default: cuda)
Exit status: 0; 1 if a row could not be measured (it says why); 2 wrong usage; 4 no trtexec.
TEXT
}

trtexec="" octet="$root/build/release/octet" files="$root/build/gpu-bench" batch=128 seconds=3 device=cuda
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --trtexec | --octet | --files | --batch | --seconds | --device)
      [ $# -ge 2 ] || { echo "trt_peer.sh: $1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2 ;;
    *) echo "trt_peer.sh: what is \`$1\`? See --help." >&2; exit 2 ;;
  esac
done
[ -n "$trtexec" ] || trtexec="$(command -v trtexec || echo /usr/src/tensorrt/bin/trtexec)"
if ! command -v "$trtexec" >/dev/null; then
  echo "trt_peer.sh: no trtexec at $trtexec: it comes with NVIDIA TensorRT (10.16 or later); install that, or give --trtexec FILE" >&2
  exit 4
fi
[ -x "$octet" ] || { echo "trt_peer.sh: no octet at $octet: ./dev build, or --octet FILE" >&2; exit 2; }
[ -s "$files/fp8/image.onnx" ] || { echo "trt_peer.sh: no $files/fp8/image.onnx: run tools/bench/gpu_run.sh --work $files files" >&2; exit 2; }
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# little_endian VALUE: 8 bytes as printf escapes.
little_endian() {
  local value="$1" i
  for ((i = 0; i < 8; ++i)); do
    printf '\\x%02x' $((value & 255))
    value=$((value >> 8))
  done
}

# Prompts of words: trtexec's own random integers are -128 to 127, which are no ids.
write_ids() {
  local row i
  row="$(little_endian 49406)"
  for ((i = 1; i < 76; ++i)); do row+="$(little_endian $((i * 613 % 49000 + 1)))"; done
  row+="$(little_endian 49407)"
  # shellcheck disable=SC2059  # the row is made of escapes
  for ((i = 0; i < batch; ++i)); do printf "$row"; done
}

# median_ms LOG: "median min max" of the line `GPU Compute Time: min = .. ms, max = .. ms, mean = .. ms, median = .. ms`.
median_ms() { sed -nE 's/.*GPU Compute Time: min = ([0-9.e+-]+) ms, max = ([0-9.e+-]+) ms, .*median = ([0-9.e+-]+) ms.*/\3 \1 \2/p' "$1" | tail -n 1; }
mebibytes() { awk -v bytes="$(stat -c %s "$1" 2>/dev/null || echo 0)" 'BEGIN { printf "%.0f", bytes / 1048576 }'; }
# why LOG: the first error in it, as a cell of a table.
why() { grep -E '\[E\]|error|FAILED' "$1" | head -n 1 | cut -c1-120 | tr '|' '/'; }

timing=(--useCudaGraph --noDataTransfers --useSpinWait --warmUp=500 --duration="$seconds")

# run_trtexec PRECISION TOWER SHAPES LOG
run_trtexec() {
  local inputs=()
  [ "$2" = text ] && inputs=(--loadInputs="input_ids:$scratch/ids")
  "$trtexec" --onnx="$files/$1/$2.onnx" --saveEngine="$scratch/$1_$2.engine" --stronglyTyped --shapes="$3" "${inputs[@]}" "${timing[@]}" >"$4" 2>&1
}

# run_octet PRECISION TOWER SHAPES LOG
run_octet() { "$octet" exec --loadEngine="$files/$1/$2.plan" --device="$device" --shapes="$3" "${timing[@]}" >"$4" 2>&1; }

failed=0
# row TOWER PRECISION SHAPES
row() {
  local trt="$scratch/trt_$2_$1.log" ours="$scratch/octet_$2_$1.log" a b
  echo "$1 $2: trtexec builds and runs" >&2
  run_trtexec "$2" "$1" "$3" "$trt" || failed=1
  echo "$1 $2: octet runs" >&2
  run_octet "$2" "$1" "$3" "$ours" || failed=1
  read -r -a a <<<"$(median_ms "$trt")"
  read -r -a b <<<"$(median_ms "$ours")"
  if [ ${#a[@]} = 3 ] && [ ${#b[@]} = 3 ]; then
    awk -v t="$1" -v p="$2" -v am="${a[0]}" -v al="${a[1]}" -v ah="${a[2]}" -v bm="${b[0]}" -v bl="${b[1]}" -v bh="${b[2]}" \
      -v ae="$(mebibytes "$scratch/$2_$1.engine")" -v be="$(mebibytes "$files/$2/$1.plan")" \
      'BEGIN { printf "| %s | %s | %s | %s to %s | %s | %s to %s | %.2fx | %s, %s MiB |\n", t, p, am, al, ah, bm, bl, bh, am / bm, ae, be }'
  else
    failed=1
    echo "| $1 | $2 | ${a[0]:-$(why "$trt")} | | ${b[0]:-$(why "$ours")} | | - | |"
  fi
}

[ "$device" = cuda ] && nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null
write_ids >"$scratch/ids"
echo "CLIP ViT-L/14, random weights, batch $batch, medians of $seconds s, $(date +%F), $("$octet" --version)"
echo
echo "| tower | file | TensorRT ms | range | octet ms | range | octet is faster by | engine: TensorRT, octet |"
echo "|---|---|---|---|---|---|---|---|"
for precision in fp16 fp8; do
  row image "$precision" "pixel_values:${batch}x3x224x224"
  row text "$precision" "input_ids:${batch}x77"
done
echo
sed -nE 's/.*RUNNING TensorRT\.trtexec \[TensorRT v([0-9]+)\].*/TensorRT v\1/p' "$scratch"/trt_*.log | sort -u
exit $failed
