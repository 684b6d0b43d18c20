/**
 * Runs a command as a program of its own: the process's arguments, outputs and exit code.
 *
 * No ancestor.
 */
import { styleText } from 'node:util'
import { react } from 'couplet/node'
import { type Command, main } from './command.ts'
import { exitCode } from './exit-codes.ts'
import type { World } from './world.ts'

/** Does what the command line of this process says, and ends the process. */
export function runOnNode(command: Command): void {
  react((reactor, ...argv) => {
    const { stdout, stderr } = process
    const paint: World['paint'] = (color, text) => styleText(color, text)
    // Whoever read our reports has left; the poems may still be wanted.
    stderr.on('error', () => undefined)
    return main(command, argv, { reactor, stdout, stderr: calm(stderr), paint }).addCallback((code) => {
      // What there was to say is said: a failure without words.
      if (code !== exitCode.ok) throw Object.assign(new Error(''), { exitCode: code })
    })
  })
}

/** A terminal that cannot move its cursor is no place for lines that change. */
function calm(output: NodeJS.WriteStream): World['stderr'] {
  if (process.env['TERM'] !== 'dumb') return output
  return { isTTY: false, write: (data, done) => output.write(data, done) }
}
