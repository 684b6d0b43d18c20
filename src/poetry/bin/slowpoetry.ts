#!/usr/bin/env node
/**
 * The slow poetry server as a program; what it does is in commands/slowpoetry.ts.
 *
 * No ancestor.
 */
import { slowpoetry } from './commands/slowpoetry.ts'
import { runOnNode } from './commands/on-node.ts'

runOnNode(slowpoetry)
