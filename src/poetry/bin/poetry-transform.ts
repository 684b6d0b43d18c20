#!/usr/bin/env node
/**
 * The transform server as a program; what it does is in commands/poetry-transform.ts.
 *
 * No ancestor.
 */
import { runOnNode } from './commands/on-node.ts'
import { poetryTransform } from './commands/poetry-transform.ts'

runOnNode(poetryTransform)
