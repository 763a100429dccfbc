# What CI runs: `just ready` before you push.
ready:
    npm test

# The relay demo, with arguments: `just demo --miners 10`.
demo *args:
    npm start -- {{args}}

build:
    npm run build

lint:
    npm run lint

format:
    npm run format

# Benchmarks, all or by name: `just bench slot-pool`.
bench *names:
    npm run bench -- {{names}}

examples:
    npm run examples
