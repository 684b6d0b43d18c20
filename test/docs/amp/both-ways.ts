import { amp, succeed } from 'couplet'
import { connected } from 'couplet/testing'

const Name = amp.command('Name', { response: { name: amp.Unicode() } })
const Greet = amp.command('Greet', { response: { text: amp.Unicode() } })

class Greeter extends amp.AMP {
  constructor() {
    super()
    this.respond(Greet, (_, peer) => peer.callRemote(Name).addCallback(({ name }) => ({ text: `Hello, ${name}!` })))
  }
}

const [client, server] = [new amp.AMP().respond(Name, () => succeed({ name: 'Ada' })), new Greeter()]
const [there, here] = [connected(client), connected(server)]
client.callRemote(Greet).addCallback(({ text }) => console.log(text)) // → Hello, Ada!

here.receive(there.value()) // Greet
there.clear()
there.receive(here.value()) // Name
here.clear()
here.receive(there.value()) // its answer
there.receive(here.value()) // and that of Greet
