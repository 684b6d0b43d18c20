#!/usr/bin/env node
/**
 * The caching proxy as a program; what it does is in commands/poetry-proxy.ts.
 *
 * No ancestor.
 */
import { runOnNode } from './commands/on-node.ts'
import { poetryProxy } from './commands/poetry-proxy.ts'

runOnNode(poetryProxy)
