/** What the types promise: policies do not change what a factory makes. Compiled, never run. */
import { Factory, limitConnections, LineReceiver, type ClientEndpoint, withPolicies } from 'couplet'

class Lines extends LineReceiver {
  readonly mine = true
  override lineReceived(): void {}
}

declare const endpoint: ClientEndpoint

const factory: Factory<Lines> = withPolicies(
  Factory.forProtocol(() => new Lines()),
  limitConnections(1),
)
const mine: boolean = (await endpoint.connect(factory)).mine
void mine

// @ts-expect-error -- a policy is called with the connection, not with a factory
withPolicies(factory, (other: Factory) => other)
