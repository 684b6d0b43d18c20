import { type IPv4Address, TCPClientEndpoint, TCPServerEndpoint } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { ask } from './ask.ts'
import { NoSuchPoem } from './line.ts'
import { serve } from './serve.ts'

const reactor = new NodeReactor()
const poems = new Map([['Fire and Ice', ['Some say the world will end in fire,', 'Some say in ice.']]])
const port = await serve(new TCPServerEndpoint(reactor, 0, { interface: '127.0.0.1' }), poems)
const endpoint = new TCPClientEndpoint(reactor, '127.0.0.1', (port.host as IPv4Address).port)

console.log(await ask(endpoint, 'Fire and Ice', 1)) // → Some say in ice.
console.log(await ask(endpoint, 'Fire and Ice', 2)) // → the poem is over
await ask(endpoint, 'The Raven', 0).catch((error: unknown) => {
  console.log(error instanceof NoSuchPoem, String(error)) // → true Error: nobody wrote The Raven
})
await port.stopListening()
