/**
 * `vitest run` runs test/**\/*.test.ts. Two more suites have a mode and an ending of their own: `--mode deep` the long
 * repeats (*.deep.ts), `--mode wire` the tests against programs that others wrote (*.wire.ts).
 */
import { availableParallelism } from 'node:os'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

export default defineConfig(({ mode }) => ({
  // The package is tested by its own name, from its sources. (`resolve.conditions` has no effect on the server side.)
  ssr: { resolve: { conditions: ['@couplet/source', ...defaultServerConditions] } },
  test: {
    include: [`test/**/*.${mode}.ts`],
    // An empty house is a failure; the other two suites may still be waiting for their first test.
    passWithNoTests: mode !== 'test',
    // One more than there are cores, since some tests wait for other programs. Vitest alone would take one fewer.
    maxWorkers: availableParallelism() + 1,
    // For what hangs, not for what is slow: no test has a clock, and a busy machine proves nothing.
    testTimeout: mode === 'deep' ? 600_000 : 120_000,
    // Before and after a test programs are started and ended, too.
    hookTimeout: 120_000,
    coverage: {
      provider: 'v8',
      include: ['src/framework/**/*.ts', 'src/poetry/**/*.ts'],
      // Command lines run as processes of their own, whose lines are not counted here.
      exclude: ['src/poetry/bin/**'],
      reporter: ['text', 'html'],
      thresholds: { lines: 90, branches: 85 },
    },
  },
}))
