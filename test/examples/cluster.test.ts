import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Load } from '../node/rolling-restart.ts'
import { type Program, Started } from '../poetry/programs.ts'

const started = new Started()
afterEach(() => started.end())

/** The recipe, with so many processes. */
async function cluster(processes: number) {
  const example = ['-C', '@couplet/source', '--import', 'tsx', 'scripts/run.ts', 'examples', 'scale-out/cluster']
  const program = started.program(process.execPath, ...example, String(processes), 'tcp:0:interface=127.0.0.1')
  await program.prints(/^\d+ is the primary$/)
  return { program, port: Number((await workers(program, processes))[0]![2]) }
}

/** What each of them said when it was there: all of it, its number, and the port. */
async function workers(program: Program, times: number): Promise<string[][]> {
  return await program.prints(/^(\d+) listens on 127\.0\.0\.1:(\d+)$/, times)
}

describe('examples/scale-out/cluster', { timeout: 60_000 }, () => {
  it.each([1, 2, 3])('replaces its workers one after another, and drops no client (run %i)', async () => {
    const { program, port } = await cluster(2)
    const load = new Load(() => connect(port, '127.0.0.1'))
    program.child.kill('SIGHUP')
    await program.prints(/^all are new$/)
    const all = await workers(program, 4)
    for (const [, pid] of all.slice(2)) await load.answered(pid!, 20)
    await load.end()
    expect(load.dropped).toEqual([])
    program.child.kill('SIGTERM')
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
    console.log(load.answers)
  })
})
