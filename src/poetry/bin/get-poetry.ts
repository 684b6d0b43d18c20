#!/usr/bin/env node
/**
 * The poetry client as a program; what it does is in commands/get-poetry.ts.
 *
 * No ancestor.
 */
import { getPoetryCommand } from './commands/get-poetry.ts'
import { runOnNode } from './commands/on-node.ts'

runOnNode(getPoetryCommand)
