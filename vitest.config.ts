import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Node 20 does not know `using`.
  oxc: { target: 'es2022' },
  test: {
    include: ['__test__/**/*.spec.ts'],
    // No test measures time. The timeout only ends tests that hang.
    testTimeout: 60_000,
    // A hook removes a folder, which can take long on a busy disk.
    hookTimeout: 60_000,
    typecheck: { enabled: true, include: ['__test__/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
})
