import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Node 20 does not know `using`.
  oxc: { target: 'es2022' },
  test: {
    include: ['__test__/**/*.spec.ts'],
    // No test is about time: this only ends what hangs.
    testTimeout: 60_000,
    typecheck: { enabled: true, include: ['__test__/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
})
