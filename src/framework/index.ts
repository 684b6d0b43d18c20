/**
 * `couplet`: everything that knows no platform, grouped by room.
 *
 * @module couplet
 */

/* trace: what happened */
export { setTracer, type Fields, type Kind, type Seq, type Tracer } from './trace/hook.ts'
export { type LintOptions, lintTrace } from './trace/linter.ts'
export { Recorder, type RecorderOptions, type TraceEvent } from './trace/recorder.ts'
export { type Complaint } from './trace/rules.ts'

/* deferred: a value that is not here yet */
export { getDebugging, setDebugging } from './deferred/debugging.ts'
export { type About, type Canceller, Deferred, type TimeoutClock } from './deferred/deferred.ts'
export {
  AlreadyCalledError,
  CancelledError,
  FailureGroup,
  FirstError,
  QueueOverflow,
  QueueUnderflow,
  TimeoutError,
} from './deferred/errors.ts'
export { type ErrorClass, Failure } from './deferred/failure.ts'
export {
  deferredList,
  type DeferredListOptions,
  gatherResults,
  race,
  type Settled,
  type Winner,
} from './deferred/gathering.ts'
export { inlineCallbacks, type InlineGenerator } from './deferred/inline-callbacks.ts'
export { DeferredLock, DeferredSemaphore } from './deferred/locks.ts'
export type { DeferredObserver, InteropObservable } from './deferred/observable.ts'
export { deferredFromSignal, fromPromise } from './deferred/promises.ts'
export { DeferredQueue, type DeferredQueueOptions } from './deferred/queue.ts'
export { setReporter, type Report, type Reporter } from './deferred/reporter.ts'
export { flushUnhandled, setUnhandledScheduler, type UnhandledScheduler } from './deferred/unhandled.ts'
export { execute, fail, logError, maybeDeferred, succeed } from './deferred/wrapping.ts'

/* core: the vocabulary */
export {
  type Address,
  DescriptorAddress,
  type IPAddress,
  IPv4Address,
  IPv6Address,
  ipAddress,
  ProcessAddress,
  StandardIOAddress,
  UNIXAddress,
} from './core/address.ts'
export { attach } from './core/attach.ts'
export { copy, type Data, equal, escaped, join, toBytes, toText } from './core/bytes.ts'
export {
  type ChildProcess,
  dialProcess,
  type DialProcessOptions,
  type ProcessOptions,
  type SpawnOptions,
  terminate,
  type TerminateOptions,
} from './core/child-process.ts'
export { type Clock, DelayedCall } from './core/clock.ts'
export { Connector, type Destination } from './core/connector.ts'
export { DatagramPort } from './core/datagram-port.ts'
export { DatagramProtocol } from './core/datagram-protocol.ts'
export type { DatagramOptions, DatagramTransport } from './core/datagram-transport.ts'
export {
  AllAttemptsFailed,
  AlreadyCalled,
  AlreadyCancelled,
  BadNetstring,
  BadVarint,
  CannotListenError,
  ConnectBindError,
  ConnectError,
  ConnectingCancelledError,
  ConnectionAborted,
  ConnectionClosed,
  ConnectionDone,
  ConnectionLost,
  ConnectionRefusedError,
  DatagramLost,
  DNSLookupError,
  FrameTooLong,
  IncompleteFrame,
  InvalidAddressError,
  InvalidUTF8,
  LineTooLong,
  LingerTimeout,
  LocalProtocolError,
  MessageLengthError,
  NoProtocol,
  NoRouteError,
  ProtocolError,
  RemoteProtocolError,
  SendQueueOverflow,
  StringTooLong,
  TCPTimedOutError,
  TLSError,
  UnsupportedAddress,
} from './core/errors.ts'
export { type Admission, ClientFactory, Factory } from './core/factory.ts'
export { type Accept, ListeningPort, type StopOptions } from './core/listening-port.ts'
export {
  ProcessDone,
  type ProcessEnding,
  processEnding,
  ProcessExitedAlready,
  ProcessTerminated,
  type Signal,
  SpawnError,
} from './core/process-errors.ts'
export { ProcessProtocol } from './core/process-protocol.ts'
export { ProcessTransport } from './core/process-transport.ts'
export { type Consumer, type Producer, type PullProducer, pullToPush, type PushProducer } from './core/producer.ts'
export { type Hook, Protocol } from './core/protocol.ts'
export {
  type DialOptions,
  type ListenOptions,
  type ListenTCPOptions,
  type ListenUDPOptions,
  Reactor,
} from './core/reactor.ts'
export { type ConnectionLimits, StreamConnection } from './core/stream-connection.ts'
export { TimerQueue } from './core/timer-queue.ts'
export type {
  PeerCertificate,
  StartTLSOptions,
  TLSClientOptions,
  TLSFacts,
  TLSOptions,
  TLSServerOptions,
  TLSVersion,
} from './core/tls.ts'
export { type Connection, type LoseOptions, type Transport } from './core/transport.ts'
export { type Schedule, Turn } from './core/turn.ts'

/* tasks: calls that come again, later, or in turn */
export { backoff, type Backoff, type BackoffOptions } from './tasks/backoff.ts'
export { CooperativeTask } from './tasks/cooperative-task.ts'
export { Cooperator, type CooperatorOptions, type Work } from './tasks/cooperator.ts'
export { deferLater } from './tasks/defer-later.ts'
export { NotPaused, SchedulerStopped, TaskDone, TaskFailed, TaskFinished, TaskStopped } from './tasks/errors.ts'
export { LoopingCall } from './tasks/looping-call.ts'

/* endpoints: where to connect, where to listen */
export { AdoptedStreamServerEndpoint, SystemdServerEndpoint, type SystemdSocket } from './endpoints/adopted.ts'
export { connectProtocol } from './endpoints/connect-protocol.ts'
export { InvalidEndpoint, quoteStringArgument } from './endpoints/description.ts'
export { type ArgumentNames, EndpointArguments, type FileReader } from './endpoints/endpoint-arguments.ts'
export { type ClientEndpoint, type ConnectOptions, type ServerEndpoint } from './endpoints/endpoint.ts'
export {
  clientFromString,
  type EndpointForm,
  type EndpointParser,
  type EndpointParsers,
  type EndpointPrefix,
  serverFromString,
  standardParsers,
} from './endpoints/from-string.ts'
export { HostnameEndpoint, type HostnameOptions } from './endpoints/hostname.ts'
export { ProcessEndpoint, type ProcessEndpointOptions } from './endpoints/process.ts'
export { proxyEndpoint } from './endpoints/proxy-endpoint.ts'
export { StandardIOEndpoint } from './endpoints/standard-io.ts'
export { TCPClientEndpoint, TCPServerEndpoint } from './endpoints/tcp.ts'
export { tlsParsers } from './endpoints/tls-parsers.ts'
export { UNIXClientEndpoint, UNIXServerEndpoint } from './endpoints/unix.ts'
export { wrapClientTLS, type WrapClientTLSOptions } from './endpoints/wrap-client-tls.ts'

/* services: how a program starts and stops */
export {
  ClientService,
  type ClientServiceOptions,
  type RetryPolicy,
  type WhenConnectedOptions,
} from './services/client-service.ts'
export { EndpointService } from './services/endpoint-service.ts'
export { ServicesNotStopped, ServiceStopped } from './services/errors.ts'
export { MultiService } from './services/multi-service.ts'
export { ReconnectingClientFactory } from './services/reconnecting-client-factory.ts'
export { runService } from './services/run-service.ts'
export { Service, type ServiceState, type ServiceWork } from './services/service.ts'
export { TimerService } from './services/timer-service.ts'

/* framing: bytes into frames */
export type { Decoder } from './framing/decoder.ts'
export { FileSender, FileTransferStopped } from './framing/file-sender.ts'
export { FrameBuffer } from './framing/frame-buffer.ts'
export { FrameReceiver } from './framing/frame-receiver.ts'
export { IntStringDecoder } from './framing/int-string-decoder.ts'
export { LineDecoder, type LineRules } from './framing/line-decoder.ts'
export { type DelimitedDecoder, LineFraming } from './framing/line-framing.ts'
export { LineOnlyReceiver, LineReceiver } from './framing/line-receiver.ts'
export { messages, type MessagesOptions } from './framing/messages.ts'
export { NetstringDecoder } from './framing/netstring-decoder.ts'
export { Outbox, type OutboxOwner } from './framing/outbox.ts'
export { type StateMethods, StatefulStringProtocol, UnknownState } from './framing/stateful-string-protocol.ts'
export type { StringDecoder, StringRules } from './framing/string-decoder.ts'
export { StringReceiver } from './framing/string-receiver.ts'
export {
  Int16StringReceiver,
  Int32StringReceiver,
  Int8StringReceiver,
  NetstringReceiver,
  VarintStringReceiver,
} from './framing/string-receivers.ts'
export { TextLineDecoder } from './framing/text-line-decoder.ts'
export { TextLineReceiver } from './framing/text-line-receiver.ts'
export { VarintStringDecoder } from './framing/varint-string-decoder.ts'

/* policies: Connection in, Connection out */
export { addressSet, type AddressTest } from './policies/address-set.ts'
export {
  BadProxyHeader,
  IdleTimeout,
  NoProxyHeader,
  TooManyConnections,
  TotalTimeout,
  UntrustedProxy,
} from './policies/errors.ts'
export { Layer } from './policies/layer.ts'
export { limitConnections, limitPerPeer, type PeerPrefix } from './policies/limits.ts'
export { proxyHeaderOf } from './policies/proxied-layer.ts'
export { type ProxiedAddress, ProxyHeader, type ProxySSL, proxyTLV, type ProxyTLV } from './policies/proxy-header.ts'
export { ProxyHeaderParser } from './policies/proxy-header-parser.ts'
export { proxyProtocol, type ProxyProtocolOptions } from './policies/proxy-protocol.ts'
export { proxyHeaderBytes, type ProxyHeaderOptions, sendProxyHeader } from './policies/send-proxy-header.ts'
export { throttle, type ThrottleOptions } from './policies/throttle.ts'
export { idleTimeout, totalTimeout } from './policies/timeouts.ts'
export { trafficLog, type TrafficLogOptions } from './policies/traffic-log.ts'
export { type Policy, withPolicies } from './policies/with-policies.ts'
export { type WriteOptions } from './policies/write-throttle.ts'

/* protocols: finished ones */
export * as amp from './protocols/amp.ts'
export * as portForward from './protocols/port-forward.ts'
