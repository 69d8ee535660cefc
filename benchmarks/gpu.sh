#!/usr/bin/env bash
# Runs the tests that need a GPU and the benchmarks of one, within ten minutes in all.
#
#   benchmarks/gpu.sh [tests] [kernel_tests] [gpu_kernels] [memory] [step_time]
#
# Without arguments all but kernel_tests, which are those of the interpreter, on the GPU, and compile
# for minutes. step_time gets the time that the others leave; to compile transformers for one batch
# takes it some three minutes, beside which the rest is measured. Needs a Python with torch, triton,
# NumPy and, for the comparison, transformers; nothing is installed. Variables:
#
#   OUT      folder of JSON and logs (benchmarks/results)
#   SECONDS_IN_ALL   for everything (590)
#   PYTHON   (python3)
#   STEP_TIME   more options of benchmarks.step_time
#   WORKERS  that run tests beside each other, where pytest-xdist is installed (8)
#
# What fails does not stop the rest. The exit status is 0 where all went well, 1 otherwise.
set -u
cd "$(dirname "$0")/.." || exit 1
export OUT="${OUT:-$PWD/benchmarks/results}" PYTHONUNBUFFERED=1
export PYTHONPATH="$PWD:$PWD/protos${PYTHONPATH:+:$PYTHONPATH}"
python="${PYTHON:-python3}"
end=$((SECONDS + ${SECONDS_IN_ALL:-590}))
failed=0
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "$python finds no torch with a CUDA device"
    exit 1
fi
mkdir -p "$OUT" || exit 1

left() { # seconds, at most $1
    local rest=$((end - SECONDS))
    echo $((rest < $1 ? rest : $1))
}

run() { # name, seconds at most, command...
    local name=$1 allowed begun=$SECONDS status
    allowed=$(left "$2")
    shift 2
    if ((allowed < 5)); then
        echo "== $name: left out, no time"
        failed=1
        return
    fi
    timeout --kill-after=5 "$allowed" "$@" >"$OUT/$name.log" 2>&1
    status=$?
    ((status == 0)) || failed=1
    echo "== $name: status $status after $((SECONDS - begun)) s, of $allowed"
}

# What pyproject.toml sets for pytest is for plugins that may not be here, and for warnings of other
# versions than these.
pytest=("$python" -m pytest -o addopts= -o filterwarnings=default -p no:cacheprovider -q --tb=short)
# Most of their time is compilation, which cores share where pytest-xdist is there.
if "$python" -c 'import xdist' 2>/dev/null; then
    pytest+=(-n "${WORKERS:-8}")
fi

gpu_tests() {
    if "$python" -c 'import pytest, hypothesis, safetensors' 2>/dev/null; then
        run tests 150 "${pytest[@]}" -m cuda tests/engine/text/test_text_cuda.py \
            tests/engine/kernels/test_gpu_*.py
    else
        run tests 150 "$python" -m tests.engine.text.device_cases
    fi
}

show() { # name: the end of a log, short
    echo "-- $1"
    [[ -f "$OUT/$1.log" ]] && tail -n "${2:-12}" "$OUT/$1.log" | cut -c1-220
}

wanted=("$@")
((${#wanted[@]})) || wanted=(tests gpu_kernels memory step_time)
for name in "${wanted[@]}"; do
    case $name in
    tests) gpu_tests ;;
    kernel_tests) run kernel_tests 300 "${pytest[@]}" -k 'not compiles' tests/engine/kernels/test_gpu_*.py ;;
    gpu_kernels) run gpu_kernels 60 "$python" -m benchmarks.gpu_kernels ;;
    memory) run memory 110 "$python" -m benchmarks.memory --seconds 40 ;;
    step_time)
        # It stops by itself, so that its table is printed.
        rest=$(left 600)
        run step_time "$rest" "$python" -m benchmarks.step_time --minutes "$("$python" -c "print(($rest - 20) / 60)")" \
            ${STEP_TIME:-}
        ;;
    *)
        echo "== $name: no such part, accepted: tests, kernel_tests, gpu_kernels, memory, step_time"
        failed=1
        ;;
    esac
done
for name in "${wanted[@]}"; do
    show "$name" 26
done
exit "$failed"
