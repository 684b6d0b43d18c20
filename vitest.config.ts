import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The package is tested by its own name, from its sources. (`resolve.conditions` has no effect on the server side.)
  ssr: { resolve: { conditions: ['@couplet/source', ...defaultServerConditions] } },
  test: {
    include: ['test/**/*.test.ts'],
    passWithNoTests: false,
    coverage: {
      provider: 'v8',
      include: ['src/framework/**/*.ts', 'src/poetry/**/*.ts'],
      // Command lines run as processes of their own, whose lines are not counted here.
      exclude: ['src/poetry/bin/**'],
      reporter: ['text', 'html'],
      thresholds: { lines: 90, branches: 85 },
    },
  },
})
