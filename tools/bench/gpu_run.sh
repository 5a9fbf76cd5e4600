#!/bin/bash
# Everything a GPU machine has to say about one build, in less than ten minutes: see usage().
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

usage() {
  cat <<'TEXT'
tools/bench/gpu_run.sh [OPTIONS] [PART...]
  files        CLIP ViT-L/14 of random weights and the shipped CLIP: ONNX files and engines, FP8 and FP16 (everything else reads them)
  conformance  the conformance binary: every GPU kernel against the exact reference
  teacher      every step of the engines on the GPU, judged on the exact reference's inputs
  eval         zero-shot accuracy of the shipped model on the GPU and on the CPU, and how often they pick the same class
  memory       what each ViT-L/14 engine takes on the GPU at batch 128, and how long its first load takes
  profile      ViT-L/14 step by step in FP16 without attention fusion, FP16 and FP8, side by side; saved as profile_TOWER_LEG.json
  time         octet's engines at batch 128 and their kernels against the roofline
  peers        the same beside PyTorch, eager and compiled
  memcheck     compute-sanitizer's memcheck and racecheck on the shipped model (not part of the default)
Without a PART: all but memcheck and time, which is part of peers. Each part says how long it took; logs stay in the work folder.
  --bin DIR            folder with the built octet (default: build/release)
  --work DIR           engines, logs, results (default: build/gpu-bench)
  --conformance FILE   the conformance binary (default: the one in --bin, if there is one)
  --python FILE        a Python with PyTorch and transformers (default: python3)
  --device NAME        octet's --device (default: cuda)
  --budget SECONDS     of peers (default: 420)
  --batch N            of profile (default: 128)
  --side N             of profile's pictures (default: 224)
Exit status: 0, or 1 if a part failed.
TEXT
}

bin="$root/build/release" work="$root/build/gpu-bench" conformance="" python=python3 device=cuda budget=420 batch=128 side=224
parts=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --bin | --work | --conformance | --python | --device | --budget | --batch | --side)
      [ $# -ge 2 ] || { echo "gpu_run.sh: $1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2 ;;
    files | conformance | teacher | eval | memory | profile | time | peers | memcheck) parts+=("$1"); shift ;;
    *) echo "gpu_run.sh: what is \`$1\`? See --help." >&2; exit 2 ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(files conformance teacher eval memory profile peers)
mkdir -p "$work"
bin="$(cd "$bin" && pwd)" && work="$(cd "$work" && pwd)" || exit 2
octet="$bin/octet"
[ -x "$octet" ] || { echo "gpu_run.sh: no octet in $bin: ./dev build, or --bin DIR" >&2; exit 2; }
[ -n "$conformance" ] || conformance="$(find "$bin" -maxdepth 1 -type f -perm -u+x -name '*conformance*' | head -n 1)"
data="$root/data/cifar10"

# engine FOLDER PRECISION TOWER: the ONNX file as an engine.
engine() { "$octet" exec --quiet --onnx="$1/$2/$3.onnx" --saveEngine="$1/$2/$3.plan" --skipInference >"$1/$2/$3.build.log" 2>&1; }

# model CHECKPOINT FOLDER: both precisions and towers, in parallel.
model() {
  local precision tower jobs=() job failed=0
  for precision in fp8 fp16; do
    {
      "$octet" export "$1" --quiet --precision "$precision" -o "$2/$precision" || exit 1
      engine "$2" "$precision" image &
      engine "$2" "$precision" text && wait $!
    } &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  for precision in fp8 fp16; do
    for tower in image text; do [ -s "$2/$precision/$tower.plan" ] || { cat "$2/$precision/$tower.build.log"; failed=1; }; done
  done
  return $failed
}

part_files() {
  "$octet" synth clip-vit-l-14 --seed 1 --quiet -o "$work/checkpoint" && model "$work/checkpoint" "$work" &&
    model "$root/models/clip-cifar10-fp8" "$work/tiny" && du -h "$work"/fp*/*.plan
}

part_conformance() {
  [ -n "$conformance" ] || { echo "no conformance binary in $bin: not run (--conformance FILE)"; return 0; }
  "$conformance" >"$work/conformance.log" 2>&1
  local status=$?
  grep -E '^\[  FAILED  \]|Failure$' "$work/conformance.log" | head -n 40
  tail -n 4 "$work/conformance.log"
  return $status
}

# judged LABEL PLAN BATCH [FLAGS]: one line: what was judged, and what lies beyond its bound.
judged() {
  local label="$1" log="$work/teacher_$1.log" status
  "$octet" compare "$2" --teacher-forced --device "$device" --batch "$3" --quiet "${@:4}" >"$log" 2>&1
  status=$?
  printf '%-22s exit %s, %s\n' "$label" "$status" "$(tail -n 1 "$log")"
  # step, kernel, type, elements, differing, unexplained: rows with something unexplained.
  if [ $status != 0 ]; then awk '$(NF-1) > 0 && NF > 6' "$log" | head -n 12; grep -v '^ ' "$log" | grep -iE 'error|fix:|fail' | head -n 6; fi
  return $status
}

part_teacher() {
  local precision tower failed=0
  for precision in fp8 fp16; do
    for tower in text image; do
      judged "tiny_${precision}_$tower" "$work/tiny/$precision/$tower.plan" 3 || failed=1
      judged "vit_l_${precision}_$tower" "$work/$precision/$tower.plan" 2 --rows 32 || failed=1
    done
  done
  return $failed
}

# picked PRECISION DEVICE: accuracy there, and every picture's class in a file.
picked() {
  printf '%-5s %-5s ' "$1" "$2"
  "$octet" eval "$work/tiny/$1" --device "$2" --quiet --images "$data/eval.tar" --classes "$data/classes.txt" --prompts "$data/prompts.txt" \
    --predictions "$work/eval_$1_$2.tsv"
}

part_eval() {
  local precision failed=0
  for precision in fp8 fp16; do
    if picked "$precision" "$device" && picked "$precision" cpu; then
      paste "$work/eval_${precision}_$device.tsv" "$work/eval_${precision}_cpu.tsv" |
        awk -F'\t' -v name="$precision" '$2 == $5 { same++ } END { printf "%-5s same class on both: %.1f %% of %d\n", name, 100 * same / NR, NR; exit same < 0.98 * NR }' || failed=1
    else
      failed=1
    fi
  done
  return $failed
}

# dims TOWER BATCH SIDE: its --shapes.
dims() { if [ "$1" = image ]; then echo "pixel_values:${2}x3x${3}x$3"; else echo "input_ids:${2}x77"; fi; }

# Nothing else is on the GPU here: the figure of all processes is octet's.
part_memory() {
  local precision tower log failed=0
  for precision in fp16 fp8; do
    for tower in image text; do
      log="$work/memory_${precision}_$tower.log"
      "$octet" exec --loadEngine="$work/$precision/$tower.plan" --device="$device" --shapes="$(dims "$tower" 128 224)" --iterations=1 --duration=0 >"$log" 2>&1 ||
        { failed=1; tail -n 3 "$log"; }
      printf '%-4s %-5s %s\n' "$precision" "$tower" "$(grep -ohE 'Engine loaded in [^.]+\.[0-9]+ sec|GPU memory.*|Device: .*' "$log" | paste -sd ';')"
    done
  done
  return $failed
}

peers() { "$python" "$root/tools/bench/gpu_peers.py" --octet "$octet" --files "$work" --device "$device" --budget-seconds "$budget" "$@"; }
part_time() { peers --skip-peers --json "$work/time.json" | tee "$work/time.md"; }
part_peers() { peers --json "$work/peers.json" | tee "$work/peers.md"; }

# leg TOWER NAME PRECISION [ROWS]: one profile; ROWS are preferred.
leg() {
  local log="$work/profile_$1_$2.log"
  OCTET_CUDA_ROWS="${4:-${OCTET_CUDA_ROWS:-}}" "$octet" exec --loadEngine="$work/$3/$1.plan" --device="$device" --shapes="$(dims "$1" "$batch" "$side")" \
    --noDataTransfers --duration=0.5 --warmUp=100 --dumpProfile --exportProfile="$work/profile_$1_$2.json" >"$log" 2>&1 || { tail -n 3 "$log"; return 1; }
}

part_profile() {
  local tower legs failed=0
  for tower in image text; do
    legs=()
    if [ "${device#cuda}" != "$device" ]; then
      leg "$tower" fp16_unfused fp16 attention_f16_unfused && grep -q '"kernel":"attention_f16_unfused"' "$work/profile_${tower}_fp16_unfused.json" || failed=1
      legs+=("FP16 unfused=$work/profile_${tower}_fp16_unfused.json")
    fi
    leg "$tower" fp16 fp16 && leg "$tower" fp8 fp8 || failed=1
    legs+=("FP16=$work/profile_${tower}_fp16.json" "FP8=$work/profile_${tower}_fp8.json")
    echo "ViT-L/14 $tower tower"
    "$python" "$root/tools/bench/profile_table.py" "${legs[@]}" | tee "$work/profile_$tower.md" || failed=1
  done
  return $failed
}

part_memcheck() {
  local tool precision tower log failed=0
  for tool in memcheck racecheck; do
    for precision in fp8 fp16; do
      for tower in text image; do
        log="$work/${tool}_${precision}_$tower.log"
        compute-sanitizer --tool "$tool" --error-exitcode 9 "$octet" exec --loadEngine="$work/tiny/$precision/$tower.plan" --device "$device" \
          --shapes="$(dims "$tower" 2 32)" --iterations=1 --duration=0 --warmUp=0 >"$log" 2>&1 || failed=1
        printf '%-9s %-4s %-5s %s\n' "$tool" "$precision" "$tower" "$(grep -E 'SUMMARY|rror' "$log" | tail -n 1)"
      done
    done
  done
  return $failed
}

failures=()
summary=""
started=$SECONDS
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "nvidia-smi finds no GPU"
for part in "${parts[@]}"; do
  begin=$SECONDS
  echo "== $part"
  "part_$part" || failures+=("$part")
  echo "== $part: $((SECONDS - begin)) s"
  summary+=" $part $((SECONDS - begin)) s;"
done
echo "parts:$summary all $((SECONDS - started)) s"
[ ${#failures[@]} = 0 ] || { echo "failed: ${failures[*]}"; exit 1; }
