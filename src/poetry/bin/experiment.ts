#!/usr/bin/env node
/**
 * The experiment as a program, which is what `npm start` runs; what it does is in commands/experiment.ts.
 *
 * No ancestor.
 */
import { experimentCommand } from './commands/experiment.ts'
import { runOnNode } from './commands/on-node.ts'

runOnNode(experimentCommand)
