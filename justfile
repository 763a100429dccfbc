# Runs all checks and tests. Run this before you push.
ready:
    npm test

# Runs the facade's tests on every supported Node, and a few on Bun and Deno. For one: `just runtimes node-24`.
runtimes *names:
    npm run test:runtimes -- {{names}}

# Runs the model of shown memory on each Node, with freed memory inaccessible. For one Node: `just memory node-24`.
memory *names:
    npm run test:memory -- {{names}}

# Runs the relay demo. Arguments go to the demo: `just demo --miners 10`.
demo *args:
    npm start -- {{args}}

build:
    npm run build

lint:
    npm run lint

# Writes the API reference to docs/api/.
docs:
    npm run docs

format:
    npm run format

# Runs all benchmarks, or those named: `just bench slot-pool`.
bench *names:
    npm run bench -- {{names}}

examples:
    npm run examples

# Runs the races of a channel's ends under Miri, in several orders of events. Needs a nightly toolchain with `miri`.
miri:
    MIRIFLAGS="-Zmiri-many-seeds=0..8 -Zmiri-disable-isolation" \
    cargo +nightly miri test -p framepool --test threads_channel -- an_end_may_go two_threads a_receiver_that

# Runs the core's tests under AddressSanitizer and LeakSanitizer, on the stable toolchain. Skips two tests that cannot
# work there: one needs `ulimit -v`, the other an `mlock` that can fail.
asan:
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address \
    ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS=suppressions={{justfile_directory()}}/crates/framepool/tests/leaks.supp \
    cargo test -p framepool --target host-tuple --no-fail-fast -- \
        --skip waits_beside_growths_that_fail_all_end --skip without_memory_the_process_ends
