# What CI runs: `just ready` before you push.
ready:
    npm test

# The facade's tests on Node 20, 22, 24 and 26, a few on Bun and Deno; or one: `just runtimes node-24`.
runtimes *names:
    npm run test:runtimes -- {{names}}

# The model of shown memory, where freed memory is inaccessible, for a while on each Node, or on one: `just memory node-24`.
memory *names:
    npm run test:memory -- {{names}}

# The relay demo, with arguments: `just demo --miners 10`.
demo *args:
    npm start -- {{args}}

build:
    npm run build

lint:
    npm run lint

# The API reference, into docs/api/.
docs:
    npm run docs

format:
    npm run format

# Benchmarks, all or by name: `just bench slot-pool`.
bench *names:
    npm run bench -- {{names}}

examples:
    npm run examples

# The races between a channel's ends under Miri, in several orders of events. Needs a nightly toolchain with `miri`.
miri:
    MIRIFLAGS="-Zmiri-many-seeds=0..8 -Zmiri-disable-isolation" \
    cargo +nightly miri test -p framepool --test channel -- whoever_goes two_threads a_receiver_that

# The core's tests under AddressSanitizer and LeakSanitizer, on the stable toolchain. Left out are two tests that cannot
# work there: one needs `ulimit -v`, the other an `mlock` that can fail.
asan:
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address \
    ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS=suppressions={{justfile_directory()}}/crates/framepool/tests/leaks.supp \
    cargo test -p framepool --target host-tuple --no-fail-fast -- \
        --skip waits_beside_growths_that_fail_all_end --skip without_memory_the_process_ends
