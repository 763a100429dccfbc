// Calls everything that the package exports, and everything that those calls return, with hostile values: `node
// --expose-gc calls.js <seed> <calls>`. It prints the number of calls of each member as JSON. It fails on a crash, an
// undocumented error, or a write to memory that hostile code never received. FRAMEPOOL_HOSTILE_TRACE=1 prints each
// call.
import { EventEmitter } from 'node:events'
import { readFileSync, writeSync } from 'node:fs'
import { PassThrough, Readable, Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { types } from 'node:util'
import { Descriptors } from './descriptors.js'
import { Guards } from './guards.js'
import { Sockets } from './sockets.js'
import { useStream } from './streams.js'
import { Hostility, Random, Values } from './values.js'

const [seed, calls] = process.argv.slice(2).map(Number)
const random = new Random(seed)

const root = new URL('../../', import.meta.url)
const entries = Object.keys(JSON.parse(readFileSync(new URL('package.json', root))).exports)
const modules = await Promise.all(
  entries.filter((entry) => !entry.endsWith('.json')).map((entry) => import(`framepool${entry.slice(1)}`)),
)
const exported = Object.assign({}, ...modules)
const { BuddyPool, BudgetPool, ByteRing, generateAuthorityKeypair, SlotPool, Sv2Session } = exported
const keys = generateAuthorityKeypair()

const documented = new Set(['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE'])
for (const [, code] of readFileSync(new URL('docs/errors.md', root), 'utf8').matchAll(/^\| `(ERR_\w+)`/gm))
  documented.add(code)
documented.delete('ERR_INTERNAL')
/** Error codes of Node for streams and sockets, and for streams that were aborted. */
const OF_STREAMS = /^(ERR_(STREAM|SOCKET)_\w+|ERR_INVALID_STATE|ABORT_ERR)$/

/**
 * All callable members. `owner` is the class of the receiver. With `refuses`, the language itself may throw TypeErrors.
 */
const members = []
/** Objects that calls have returned, by class, and tickets. */
const subjects = new Map([['ticket', []]])
const MAX_SUBJECTS = 8
/** Objects that could not be released because they were in use. */
const busy = new Set()
const failures = []
/** True once the calls are over: objects that still arrive are released. */
let ending = false

/** Makes plausible values for parameters and options, by name. Other names get any value. */
const typical = {
  capacity: () => random.below(5000),
  initialCapacity: () => random.below(100),
  length: () => random.below(random.oneIn(5) ? 5000 : 100),
  count: () => 1 + random.below(8),
  size: () => random.pick([64, 256, 4096, 20_000, 100_000, 2 ** 22]),
  bufferSize: () => 2 ** (3 + random.below(10)),
  // Serves budget pools, and relays, which need more.
  maxMemory: () => random.pick([10_000, 2 ** 20]) + random.below(100_000),
  outputSize: () => 2 ** (6 + random.below(10)),
  maxFrameSize: () => random.below(100_000),
  align: () => 2 ** random.below(8),
  index: () => random.below(4) - 1,
  messageType: () => random.below(256),
  port: () => random.below(2),
  timeoutMs: () => random.below(3),
  host: () => '127.0.0.1',
  authorityPublicKey: () => keys.publicKey,
  authoritySecretKey: () => keys.secretKey,
  pool: () => subject(SlotPool),
  ticket: () => subject('ticket'),
  from: () => descriptors.source(),
  to: () => random.pick([subject(Sv2Session), descriptors.sink()]),
  fd: () => descriptors.any(),
  frames: () => random.pick(['ReceivedBatch', 'ReceivedFrame', 'EmptyBatch'].map(subjectNamed)),
  signal: () => values.signal(),
}
for (const name of ['source', 'target', 'chunk']) typical[name] = () => values.bytes()
// Half of the payloads are messages, some of them cut short or changed.
typical.payload = () => (random.oneIn(2) ? values.bytes() : payload())
// `bytes` is a number of bytes in some calls, and a buffer in others.
typical.bytes = () => (random.oneIn(2) ? random.below(100) : values.bytes())
for (const name of ['socket', 'a', 'b']) typical[name] = () => sockets.any()
for (const name of ['drain', 'fill', 'onBatch', 'onBlock', 'onData', 'onFrame', 'onProgress'])
  typical[name] = () => values.callback()
for (const name of ['options', 'config', 'header', 'listen', 'upstream', 'block'])
  typical[name] = () => values.options()

/** Makes the payload of some message. */
function payload() {
  const message = random.pick(exported.messages)
  const bytes = message.encode(plausible(message))
  if (random.oneIn(4)) bytes[random.below(bytes.length)] = random.below(256)
  return random.oneIn(4) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes
}

/** Makes fields that a message takes. */
function plausible({ fields }) {
  const kinds = {
    boolean: () => random.oneIn(2),
    number: () => random.below(200),
    bigint: () => BigInt(random.below(200)),
    bytes: (type) => new Uint8Array(type.size || random.below(Math.min(type.most, 33))),
    'string or bytes': () => random.pick(['', 'worker', 'é', Uint8Array.of(0xff)]),
    list: (type) => Array.from({ length: random.below(4) }, () => kinds[type.of.kind](type.of)),
  }
  return Object.fromEntries(fields.map(({ name, type }) => [name, kinds[type.kind](type)]))
}

const world = {
  typical: (name) => (Object.hasOwn(typical, name) ? typical[name]() : undefined),
  subject: () => subject(random.pick([...subjects.keys()])),
  classes: () => [...subjects.keys()].filter((owner) => typeof owner === 'function'),
  act: () => perform(random.pick(members)),
}
const values = new Values(random, world)
const descriptors = new Descriptors(random)
const sockets = new Sockets(random)
await sockets.listen()

function subject(Class) {
  const objects = subjects.get(Class) ?? []
  return objects.length > 0 ? random.pick(objects) : undefined
}

function subjectNamed(name) {
  return subject([...subjects.keys()].find((Class) => Class.name === name))
}

function isClass(value) {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function parametersOf(callable) {
  const source = Function.prototype.toString.call(callable)
  const list = /^class\b/.test(source)
    ? (source.match(/\bconstructor\(([^)]*)\)/)?.[1] ?? '')
    : source.match(/\(([^)]*)\)/)[1]
  return list.split(',').map((parameter) => parameter.trim().match(/^\w*/)[0])
}

function add(label, callable, owner, invoke, refuses = false) {
  members.push({ label, parameters: parametersOf(callable), owner, invoke, refuses, count: 0, since: performed })
}

function explore(name, value) {
  if (isClass(value)) exploreClass(value)
  else if (typeof value === 'function') add(name, value, null, (_, args) => value(...args))
}

/** Adds the members that all messages have: a call takes any message, and any of its fields. */
function exploreMessages() {
  const some = () => random.pick(exported.messages)
  const first = exported.messages[0]
  for (const name of ['is', 'decode', 'validate', 'tlvs', 'encode', 'encodeInto', 'byteLength']) {
    add(`message.${name}`, first[name], null, (_, args) => {
      const message = some()
      // A call can do something only with fields that fit.
      const at = { encode: 0, encodeInto: 1, byteLength: 0 }[name]
      if (at !== undefined && random.oneIn(3)) args[at] = plausible(message)
      return message[name](...args)
    })
  }
  const dispatch = exported.dispatcher({
    SubmitSharesStandard: () => random.oneIn(2),
    SetTarget: async () => values.any(),
  })
  add(
    'dispatcher()',
    (frame) => frame,
    null,
    (_, [frame]) => {
      const { extensionType, messageType } = some()
      return dispatch(random.oneIn(2) ? frame : { extensionType, messageType, payload: values.named('payload') })
    },
  )
  for (const name of ['get', 'raw', 'set']) {
    const [accessor] = Object.values(exported.OpenStandardMiningChannel[name])
    add(`message.${name}`, accessor, null, (_, args) => {
      const accessors = Object.values(some()[name])
      return accessors.length > 0 ? random.pick(accessors)(...args) : undefined
    })
  }
}

function exploreClass(Class) {
  if (subjects.has(Class)) return
  subjects.set(Class, [])
  add(`new ${Class.name}`, Class, null, (_, args) => new Class(...args), Class.prototype instanceof Error)
  for (const key of Reflect.ownKeys(Class)) {
    const { value } = Object.getOwnPropertyDescriptor(Class, key)
    if (typeof value === 'function') add(`${Class.name}.${String(key)}`, value, null, (_, args) => Class[key](...args))
  }
  const seen = new Set(['constructor'])
  const foreign = [Object, Error, EventEmitter, Readable, Writable].map(({ prototype }) => prototype)
  for (let object = Class.prototype; !foreign.includes(object); object = Object.getPrototypeOf(object)) {
    for (const key of Reflect.ownKeys(object)) {
      // Node calls these members. Users call `read` and `write` (see streams.js).
      if (seen.has(key) || String(key).startsWith('_')) continue
      seen.add(key)
      const { get, value } = Object.getOwnPropertyDescriptor(object, key)
      const method = get ?? value
      if (typeof method !== 'function') continue
      add(`${Class.name}#${String(key)}`, method, Class, (receiver, args) => Reflect.apply(method, receiver, args))
    }
  }
}

/** Adds the result of a call to the objects to call and the values to pass. */
function adopt(value, refused = judge, depth = 0) {
  if (typeof value !== 'object' || value === null || types.isProxy(value) || values.hasMade(value)) return
  const Class = Object.getPrototypeOf(value)?.constructor
  if (types.isUint8Array(value)) values.keepView(value)
  else if (value instanceof ReadableStream || value instanceof WritableStream) useStream(value, values, refused)
  else if (types.isPromise(value)) value.then((result) => adopt(result), refused)
  else if (types.isGeneratorObject(value)) {
    // An async generator that has not started holds nothing.
    if (Symbol.iterator in value) for (const item of value) adopt(item)
  } else if (isTicket(value)) keep(subjects.get('ticket'), value)
  else if (Array.isArray(value) || Class === Object) {
    if (depth < 2) for (const [key, item] of Object.entries(value)) adoptPart(key, item, depth + 1)
  } else if (isClass(Class) && globalThis[Class.name] !== Class) {
    exploreClass(Class)
    const objects = subjects.get(Class)
    if (objects.includes(value)) return
    if (random.oneIn(20) && !(value instanceof EventEmitter)) Object.freeze(value)
    keep(objects, value)
    useStream(value, values, refused)
  }
}

/** Adopts a property of a plain object or an array. A function, such as that of `onread`, becomes a member. */
function adoptPart(key, value, depth) {
  if (typeof value !== 'function') return adopt(value, judge, depth)
  const label = `function ${key}`
  if (!subjects.has(label)) {
    subjects.set(label, [])
    add(label, value, label, (own, args) => Reflect.apply(own, values.any(), args))
  }
  keep(subjects.get(label), value)
}

function keep(objects, value) {
  if (ending) return retire(value)
  if (objects.length === MAX_SUBJECTS) retire(objects.splice(random.below(MAX_SUBJECTS), 1)[0])
  objects.push(value)
}

function isTicket(value) {
  return typeof value.framepool === 'string'
}

/** Closes or releases an object. Redeems a ticket, because its object would otherwise be lost. */
function retire(object) {
  if (isTicket(object)) return redeem(object)
  for (const name of ['close', 'release', Symbol.dispose]) {
    try {
      if (typeof object[name] === 'function') adopt(object[name]())
    } catch (error) {
      if (error.code === 'ERR_BUSY') busy.add(object)
      judge(error)
    }
  }
}

function redeem(ticket) {
  try {
    adopt(exported.adopt(ticket))
  } catch (error) {
    judge(error)
  }
}

function retireBusy() {
  const objects = [...busy]
  busy.clear()
  for (const object of objects) retire(object)
}

let depth = 0
let performed = 0
let current = 'at first'

function perform(member) {
  if (depth > 2) return
  const { owner, parameters } = member
  const object = owner === null || random.oneIn(20) ? undefined : subject(owner)
  const receiver = owner === null ? undefined : (object ?? values.any())
  const args = parameters.map((name) => values.named(name))
  if (random.oneIn(20)) args.pop()
  if (owner === null || object !== undefined) member.count++
  performed++
  current = member.label
  if (process.env.FRAMEPOOL_HOSTILE_TRACE) writeSync(2, `${performed} ${member.label}\n`)
  // The language itself throws a TypeError for a receiver without the class's private members.
  const foreign = member.refuses || (owner !== null && object === undefined)
  const refused = (error) => (foreign && error instanceof TypeError) || judge(error, member.label)
  depth++
  try {
    adopt(member.invoke(receiver, args), refused)
  } catch (error) {
    refused(error)
  } finally {
    depth--
  }
}

/** Records a failure unless the error is documented, comes from the system, or was thrown by hostile code. */
function judge(error, label = current) {
  const { code, syscall } = error ?? {}
  if (error instanceof Hostility || documented.has(code) || OF_STREAMS.test(code) || typeof syscall === 'string') return
  // A getter of framepool ran on a forged object that was passed as options.
  if (error instanceof TypeError && /^.*\n +at (\w+\.)?get \w+ .*\/dist\//.test(error.stack)) return
  failures.push(`${label}, call ${performed}: ${error?.stack ?? String(error)}`)
}

/** Returns the members that were there to be tried for most of the run: functions that a call has returned may be new. */
function tried() {
  return members.filter(({ since }) => since < calls / 2)
}

process.on('exit', () => {
  if (failures.length > 0) console.error([...new Set(failures)].join('\n'))
  else console.log(JSON.stringify(Object.fromEntries(tried().map(({ label, count }) => [label, count]))))
  process.exitCode = failures.length > 0 ? 1 : 0
})
process.on('uncaughtException', (error) => judge(error, 'later'))
process.on('unhandledRejection', (error) => {
  // A method of framepool has called methods of a foreign receiver.
  if (!/private member|Receiver must be/.test(error?.message)) judge(error, 'later')
})

for (const [name, value] of Object.entries(exported)) explore(name, value)
exploreMessages()
try {
  await callAll(new Guards({ BuddyPool, BudgetPool, ByteRing, SlotPool, Sv2Session }, keys))
} catch (error) {
  // Errors of calls are caught earlier, so a guard was touched.
  failures.push(`${current}, call ${performed}: ${error.stack}`)
} finally {
  sockets.release()
  descriptors.release()
}
// Operations that are still pending might never end.
if (failures.length > 0) process.exit()
// A pool closes only after memory that was taken from it has been collected.
for (let round = 0; round < 5; round++) {
  globalThis.gc()
  retireBusy()
  await turn()
}

/** Makes readers and writers of frames: generated options rarely do. */
function framing() {
  const { FrameReader, FrameWriter } = exported
  const options = { maxFrameLength: 1 << 16 }
  return [
    FrameReader.lengthDelimited({ ...options, lengthFieldLength: 1 }),
    FrameReader.delimited(options),
    FrameReader.withHeader({ ...options, headerLength: 2, frameLength: () => values.any() }),
    FrameWriter.lengthDelimited(
      new PassThrough().resume().on('error', () => {}),
      options,
    ),
    FrameWriter.delimited(
      new PassThrough().resume().on('error', () => {}),
      options,
    ),
  ]
}

async function callAll(guards) {
  // Generated options rarely make a relay, so the first could come too late to try its members.
  const { publicKey: authorityPublicKey, secretKey: authoritySecretKey } = keys
  const loopback = { host: '127.0.0.1', port: 0 }
  adopt(
    exported.createRelay({
      listen: loopback,
      upstream: { ...loopback, port: 1 },
      authorityPublicKey,
      authoritySecretKey,
    }),
  )
  while (performed < calls && failures.length < 10) {
    // No single call returns a batch of frames: that takes two sessions that agree.
    if (performed % 50 === 0) for (const object of [...guards.connection(), ...framing()]) adopt(object)
    perform(random.pick(members))
    if (performed > 100 && random.oneIn(20)) values.mistreat()
    if (performed % 100 === 0) {
      guards.check()
      sockets.renew()
      descriptors.renew()
      retireBusy()
      await turn()
    }
  }
  ending = true
  for (const objects of subjects.values()) for (const object of objects.splice(0)) retire(object)
  await turn()
  guards.check()
  guards.release()
}
