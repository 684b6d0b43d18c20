/** The runners whose functions the contract takes as they are. */
import * as node from 'node:test'
import type { TestRunner } from 'couplet/testing'
import * as vitest from 'vitest'

export const runners: readonly TestRunner[] = [
  { describe: vitest.describe, it: vitest.it },
  { describe: node.describe, it: node.it },
]
