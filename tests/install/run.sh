#!/bin/sh
# run.sh BUILD WRITE_TEST_PLANS: installs the runtime of a build tree somewhere new, builds the examples against it with
# find_package and with pkg-config, runs them on tiny engines against the oracle's bytes, and looks at what the libraries export.
set -eu
build=$1 write_test_plans=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

cmake --install "$build" --component runtime --prefix "$work/prefix" >"$work/install.log"
mv "$work/prefix" "$work/moved"  # the package must not remember where it was installed
prefix=$work/moved
library=$(find "$prefix" -name 'liboctet_runtime.so.*.*.*')
archive=$(find "$prefix" -name liboctet_runtime.a)
config=$(dirname "$(find "$prefix" -name octetConfig.cmake)")

cmake -S "$source/tests/install" -B "$work/cmake" -Doctet_DIR="$config" -DEXAMPLES="$source/examples" >"$work/configure.log"
cmake --build "$work/cmake" >"$work/build.log" 2>&1 || { cat "$work/build.log"; fail "find_package build"; }

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name octet.pc)")
export PKG_CONFIG_PATH
mkdir "$work/pkg"
# shellcheck disable=SC2046  # the flags are words
g++ -std=c++20 -Wall -Wextra -Werror "$source/examples/embed.cpp" -o "$work/pkg/embed_cpp" $(pkg-config --cflags --libs octet)
# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -Werror -pedantic "$source/examples/embed.c" -o "$work/pkg/embed_c" $(pkg-config --cflags --libs octet)
LD_LIBRARY_PATH=$(dirname "$library")
export LD_LIBRARY_PATH

mkdir "$work/plans"
"$write_test_plans" "$work/plans"
for program in "$work/cmake/embed_cpp_runtime" "$work/cmake/embed_cpp_runtime_shared" "$work/pkg/embed_cpp"; do
  for tower in text image; do
    "$program" "$work/plans/$tower.plan" "$work/plans/$tower.bin" "$work/out" >/dev/null
    # Two items of at most 16 f16: the CPU may round a few values the other way, never lose one.
    [ "$(wc -c <"$work/out")" = "$(wc -c <"$work/plans/$tower.expected")" ] || fail "$program $tower: size"
    [ -f "$work/first.$tower" ] || cp "$work/out" "$work/first.$tower"
    cmp "$work/out" "$work/first.$tower" || fail "$program $tower: the forms of the library disagree"
  done
done
"$work/cmake/embed_c_runtime" "$work/plans/text.plan" >"$work/c_static"
"$work/pkg/embed_c" "$work/plans/text.plan" >"$work/c_shared"
"$work/cmake/embed_c_runtime_shared" "$work/plans/text.plan" | cmp - "$work/c_static"
cmp "$work/c_static" "$work/c_shared"
grep -q 'output text_embeds: 12 bytes' "$work/c_static" || fail "the C example says $(cat "$work/c_static")"
status=0
"$work/pkg/embed_c" "$work/plans/text.bin" 2>"$work/error" || status=$?
[ "$status" = 3 ] || fail "a file that is no engine: exit code $status"
grep -q 'not an engine' "$work/error" || fail "a file that is no engine: $(cat "$work/error")"

# Exports: the API and nothing else, in both forms; no word of the compiler anywhere. (Symbols of kind u are constants of inline
# functions, which linkers merge.)
nm -DC --defined-only "$library" | sed 's/^[0-9a-f]* . //' >"$work/exports"
nm -gC --defined-only "$archive" 2>/dev/null | sed -n 's/^[0-9a-f]* [A-Z] //p' >"$work/archive_exports"
api='^(octet_[a-z_]*|(typeinfo for |typeinfo name for |vtable for )octet::Error|octet::(Engine|Session|Error)::.*|octet::(version|name_of|size_of)\(.*)(@@.*)?$'
if grep -Ev "$api" "$work/exports"; then fail "the shared library exports more than the API"; fi
if grep octet "$work/archive_exports" | grep -Ev "$api"; then fail "the static library exports more than the API"; fi
if grep -E 'XXH|fmt::' "$work/archive_exports"; then fail "the static library exports its dependencies"; fi
for file in "$library" "$archive"; do
  if nm -C "$file" 2>/dev/null | grep -E 'octet::(Graph|passes|lower|frontends|formats|quant|interp|oracle|TensorType)\b'; then fail "$file holds the compiler"; fi
done
cp "$library" "$work/stripped.so"
strip "$work/stripped.so"
size=$(wc -c <"$work/stripped.so")
echo "liboctet_runtime.so stripped: $size bytes"
[ "$size" -lt 8388608 ] || fail "liboctet_runtime.so has $size bytes stripped"
