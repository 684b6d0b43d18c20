import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, it } from 'vitest'
import { Started } from '../poetry/programs.ts'

const started = new Started()
afterEach(() => started.end())

it('shouts at whoever connects, until Ctrl-C', async () => {
  const example = ['-C', '@couplet/source', '--import', 'tsx', 'scripts/run.ts', 'examples', 'shout']
  const program = started.program(process.execPath, ...example, 'tcp:0:interface=127.0.0.1')
  const [[, port] = []] = await program.prints(/^listening on 127\.0\.0\.1:(\d+)$/)
  const socket = connect(Number(port), '127.0.0.1')
  socket.end('hello\r\nwörld\r\n')
  expect(await text(socket)).toBe('HELLO\r\nWÖRLD\r\n')
  program.child.kill('SIGINT')
  expect(await program.ended).toMatchObject({ code: 0, stderr: '' })
})
