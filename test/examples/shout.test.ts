import { toBytes } from 'couplet'
import { everyChunking, StringTransport } from 'couplet/testing'
import { expect, it } from 'vitest'
import { Shout } from '../../examples/shout-protocol.ts'

it('answers in capitals, however the bytes arrive', () => {
  for (const chunks of everyChunking(toBytes('hello\r\nworld\r\n'))) {
    const transport = new StringTransport()
    const shout = transport.connect(new Shout())
    for (const chunk of chunks) shout.dataReceived(chunk)
    expect(transport.text()).toBe('HELLO\r\nWORLD\r\n')
  }
})
