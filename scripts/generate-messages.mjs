// `npm run generate:messages`: writes the codecs of all Sv2 messages, and the table of docs/sv2-messages.md, from
// src/sv2/messages/schema.json. With --check it writes nothing and fails if a file is not what it would write.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = 'src/sv2/messages/'
const page = 'docs/sv2-messages.md'

const PROTOCOLS = {
  common: 'Common messages, which every connection uses',
  mining: 'The mining protocol',
  'job-declaration': 'The job declaration protocol',
  'template-distribution': 'The template distribution protocol',
  extensions: 'Extension 0x0001: negotiation of extensions',
}

/**
 * For every type of the schema: the TypeScript type, the constant, the documented range, and code. and the functions
 * that read, check and write values.
 */
const TYPES = {
  BOOL: {
    ...{ ts: 'boolean', size: 1, about: 'BOOL, of which bit 0 alone counts' },
    ...{ read: 'bool', check: 'checkBool', limits: '0, ', put: 'putBool' },
  },
  U8: number(1),
  U16: number(2),
  U24: number(3),
  U32: number(4),
  F32: {
    ...{ ts: 'number', size: 4, about: 'F32' },
    ...{ read: 'f32', check: 'checkFloat', limits: '0, ', put: 'putF32' },
  },
  U64: {
    ...{ ts: 'bigint', size: 8, about: 'U64' },
    ...{ read: 'u64', check: 'checkBigint', limits: '0, ', put: 'putU64' },
  },
  U256: {
    ...{ ts: 'Uint8Array', size: 32, about: 'U256: 32 bytes' },
    ...{ read: 'u256', check: 'checkU256', limits: '32, ', put: 'putBytes' },
  },
  STR0_255: {
    ...{ ts: 'string', constant: 'STR0_255', prefix: 1, about: 'STR0_255: 0 to 255 bytes' },
    ...{ read: 'text', check: 'checkText', limits: '255, ', put: 'putCounted' },
  },
  B0_32: byteString('B0_32', 1, 32),
  B0_255: byteString('B0_255', 1, 255),
  B0_64K: byteString('B0_64K', 2, 65_535),
  'OPTION[U32]': {
    ...{ ts: 'number | null', constant: 'OPTION_U32', about: 'OPTION[U32]' },
    ...{
      read: 'optionU32',
      most: '0xffffffff',
      put: 'putOptionU32',
      wrong: (value) => `${value} !== null && ${value} >>> 0 !== ${value}`,
    },
  },
  'SEQ0_255[U256]': list('SEQ0_255_U256', 'Uint8Array', 'byteStrings', 'SEQ0_255[U256]: at most 255 of 32 bytes'),
  'SEQ0_64K[U16]': list('SEQ0_64K_U16', 'number', 'numbers', 'SEQ0_64K[U16]: at most 65,535'),
  'SEQ0_64K[U32]': list('SEQ0_64K_U32', 'number', 'numbers', 'SEQ0_64K[U32]: at most 65,535'),
  'SEQ0_64K[U256]': list('SEQ0_64K_U256', 'Uint8Array', 'byteStrings', 'SEQ0_64K[U256]: at most 65,535 of 32 bytes'),
  'SEQ0_64K[B0_16M]': list(
    ...['SEQ0_64K_B0_16M', 'Uint8Array', 'byteStrings'],
    'SEQ0_64K[B0_16M]: at most 65,535, each of at most 16,777,215 bytes',
  ),
}

function number(size) {
  const bits = size * 8
  const most = hex(2 ** bits - 1, 0)
  return {
    ...{ ts: 'number', size, about: `U${bits}`, most },
    ...{ read: `u${bits}`, put: `putU${bits}` },
    // Not left to a function: there are many of them to a message, more than engines inline.
    wrong: (value) => `${size === 4 ? `${value} >>> 0` : `(${value} & ${most})`} !== ${value}`,
  }
}

function byteString(constant, prefix, most) {
  return {
    ...{ ts: 'Uint8Array', constant, prefix, about: `${constant}: 0 to ${most.toLocaleString('en-US')} bytes` },
    ...{ read: 'bytes', check: 'checkBytes', limits: `0, ${most}, `, put: 'putCounted' },
  }
}

function list(constant, element, kind, about) {
  const name = kind[0].toUpperCase() + kind.slice(1)
  const unit = { U16: 2, U32: 4 }[constant.slice(9)]
  return {
    ...{ ts: `readonly ${element}[]`, constant, about, list: true, unit },
    ...{ read: kind, check: `check${name}`, put: `put${name}` },
  }
}

function hex(value, digits) {
  return `0x${value.toString(16).padStart(digits, '0')}`
}

/** Names that the generated code has for itself. */
const TAKEN = ['fields', 'into', 'extra', 'size', 'at']

const schema = JSON.parse(readFileSync(`${root}${folder}schema.json`, 'utf8')).map((entry) => ({
  ...entry,
  messageType: Number(entry.messageType),
  fields: entry.fields.map((line) => {
    const [, specName, type, doc] = /^(\S+) (\S+): (.+)$/.exec(line) ?? fail(`${entry.name}: "${line}" is no field`)
    if (!Object.hasOwn(TYPES, type)) fail(`${entry.name}.${specName}: there is no type ${type}`)
    const name = specName.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase())
    if (TAKEN.includes(name)) fail(`${entry.name}.${specName}: the generated code uses the name ${name}`)
    return { name, specName, type, doc, ...TYPES[type] }
  }),
}))

function fail(text) {
  throw new Error(text)
}

const capital = (text) => text[0].toUpperCase() + text.slice(1)

/** Bytes that the fields in front of the first of variable length take. */
function fixedStart(fields) {
  let at = 0
  for (const { size } of fields) {
    if (size === undefined) break
    at += size
  }
  return at
}

/** For every field, the expression of its offset: a number up to the first field of variable length, then a walk. */
function offsets({ name, fields }) {
  let at = 0
  let fixed = true
  return fields.map((field, index) => {
    const here = fixed ? String(at) : `offsetOf(payload, ${name}, ${index})`
    if (field.size === undefined) fixed = false
    if (fixed) at += field.size
    return here
  })
}

function readCall({ name }, field, at) {
  return `${field.read}(payload, ${at}, ${field.constant ? `${field.constant}, ` : ''}${name})`
}

function decodeCode(message) {
  const { name, fields } = message
  const lines = []
  let at = { variable: null, plus: 0 }
  const text = () => (at.variable === null ? `${at.plus}` : at.variable + (at.plus > 0 ? ` + ${at.plus}` : ''))
  const members = fields.map((field, index) => {
    const read = `${field.name}: ${readCall(message, field, text())},`
    if (field.size === undefined) {
      const variable = `end${index + 1}`
      lines.push(`const ${variable} = endOf(payload, ${text()}, ${field.constant})`)
      at = { variable, plus: 0 }
    } else {
      at.plus += field.size
    }
    return read
  })
  if (lines.length > 0) lines.unshift(`checkPayload(payload, ${name})`)
  return `decode: (payload) => {
    ${lines.map((line) => `${line}\n`).join('')}checkEnd(payload, ${text()}, ${name})
    return { ${members.join('\n')} }
  },`
}

function packCode({ name, fields }) {
  const checks = []
  const sizes = []
  const writes = []
  const constant = fields.reduce((sum, { size, prefix, type }) => {
    return sum + (size ?? prefix ?? (type === 'OPTION[U32]' ? 1 : 0))
  }, 0)
  // Lists first: a proxy's element can run code, and what is checked after it stays as it is.
  const inOrder = [...fields.filter(({ list }) => list), ...fields.filter(({ list }) => !list)]
  for (const field of inOrder) {
    const index = fields.indexOf(field)
    const { name: value, type, check, limits = '' } = field
    if (field.list) {
      checks.push(`const ${value}List = ${check}(${value}, ${field.constant}, ${name}, ${index})`)
      sizes.push(
        field.unit ? `2 + ${value}List.length * ${field.unit}` : `byteStringsSize(${value}List, ${field.constant})`,
      )
    } else if (type === 'STR0_255') {
      checks.push(`const ${value}Text = ${check}(${value}, ${limits}${name}, ${index})`)
      sizes.push(`${value}Text.length`)
    } else if (field.wrong) {
      checks.push(
        `if (${field.wrong(value)}) throw notNumber(${value}, ${name}, ${index}${type === 'OPTION[U32]' ? `, ${field.most}` : ''})`,
      )
      if (type === 'OPTION[U32]') sizes.push(`(${value} === null ? 0 : 4)`)
    } else {
      checks.push(`${check}(${value}, ${limits}${name}, ${index})`)
      if (field.prefix) sizes.push(`${value}.length`)
    }
  }
  let at = 0
  let walking = false
  fields.forEach((field, index) => {
    const { name: value, type, put, size } = field
    const last = index === fields.length - 1
    const what = field.list ? `${value}List, ${field.constant}` : type === 'STR0_255' ? `${value}Text` : value
    const more = field.prefix ? `, ${field.prefix}` : ''
    if (!walking && (size !== undefined || last)) {
      writes.push(`${put}(into, ${at}, ${what}${more})`)
      at += size ?? 0
    } else if (!walking) {
      walking = true
      writes.push(`let at = ${put}(into, ${at}, ${what}${more})`)
    } else {
      writes.push(`${last ? '' : 'at = '}${put}(into, at, ${what}${more})`)
    }
  })
  const size = [constant > 0 ? String(constant) : null, ...sizes].filter((part) => part !== null).join(' + ')
  return `pack: (fields, into, extra) => {
    const { ${fields.map((field) => field.name).join(', ')} } = checkFields(fields, ${name})
    ${checks.join('\n')}
    const size = ${size}
    if (!isTarget(into, size, extra, ${name})) return size
    ${writes.join('\n')}
    return size
  },`
}

function messageCode(message) {
  const { name, specName, protocol, extensionType, messageType, channelMessage, direction, section, doc, fields } =
    message
  const at = offsets(message)
  const fixed = fields.filter(({ size }) => size)
  const fixedNames = fixed.map((field) => `'${field.name}'`).join(' | ') || 'never'
  const fixedParameter = fixed.length === fields.length ? '' : `, ${fixedNames}`
  const start = fixedStart(fields)
  const header = `type ${hex(messageType, 2)}${extensionType > 0 ? ` of extension ${hex(extensionType, 4)}` : ''}, channel bit ${channelMessage ? 1 : 0}`
  return `
/** Fields of {@link ${name}}. */
export interface ${name}Fields {
${fields.map((field) => `/** ${capital(field.doc)}. ${field.about}. */\n${field.name}: ${field.ts}`).join('\n')}
}

/**
 * ${specName === name ? '' : `\`${specName}\`: `}${doc}
 *
 * ${capital(header)}; ${direction}; ${section}. ${fields.length === fixed.length ? `${start} bytes` : `The first ${start} bytes are of fixed length`}.
 */
export const ${name}: Message<'${name}', ${name}Fields${fixedParameter}> = /* @__PURE__ */ message({
  name: '${name}',
  specName: '${specName}',
  protocol: '${protocol}',
  extensionType: ${extensionType},
  messageType: ${hex(messageType, 2)},
  channelMessage: ${channelMessage},
}, {
  ${fields.map((field) => `${field.name}: ${field.constant ?? field.type},`).join('\n')}
}, {
  ${decodeCode(message)}
  ${packCode(message)}
  get: {
    ${fields.map((field, index) => `${field.name}: (payload) => ${readCall(message, field, at[index])},`).join('\n')}
  },
})
`
}

/** An import of what `code` uses of a module. */
function imports(code, module) {
  const source = readFileSync(`${root}${folder}${module}.ts`, 'utf8')
  const exported = [...source.matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name)
  const used = exported.filter((name) =>
    new RegExp(`\\b${name}[(,; )\\n]`).test(code.replaceAll(/^\s*(\/?\*).*$/gm, '')),
  )
  return used.length > 0 ? `import { ${used.sort().join(', ')} } from './${module}.js'\n` : ''
}

const NOTICE = '// Generated from schema.json by `npm run generate:messages`; do not edit.\n'

function protocolFile(protocol) {
  const code = schema
    .filter((entry) => entry.protocol === protocol)
    .map(messageCode)
    .join('')
  return `${NOTICE}${imports(code, 'field-type')}import { type Message, message } from './message.js'
${imports(code, 'read')}${imports(code, 'write')}
// ${PROTOCOLS[protocol]}.
${code}`
}

function catalogueFile() {
  const lines = Object.keys(PROTOCOLS).map((protocol) => {
    const names = schema
      .filter((entry) => entry.protocol === protocol)
      .flatMap(({ name }) => [name, `type ${name}Fields`])
    return `import { ${names.join(', ')} } from './${protocol}.generated.js'`
  })
  return `${NOTICE}${lines.join('\n')}

/** Fields of every message, by the message's name. */
export interface MessageFields {
${schema.map(({ name }) => `/** Fields of \`${name}\`. */\n${name}: ${name}Fields`).join('\n')}
}

/** All messages, by protocol and type. */
export const messages: readonly [${schema.map(({ name }) => `typeof ${name}`).join(', ')}] = [
  ${schema.map(({ name }) => `${name},`).join('\n')}
]
`
}

/** The table of the documentation, between two comments of its page. */
function pageWithTable(text) {
  const rows = schema.map(
    ({ name, specName, protocol, extensionType, messageType, channelMessage, direction, fields }) => [
      extensionType > 0 ? `${hex(messageType, 2)} (extension ${hex(extensionType, 4)})` : hex(messageType, 2),
      channelMessage ? '1' : '0',
      `\`${name}\`${specName === name ? '' : `, ${specName}`}`,
      protocol,
      direction,
      fields.map((field) => `\`${field.name}\` ${field.type}`).join(', '),
    ],
  )
  const table = [['Type', 'Channel bit', 'Message', 'Protocol', 'Direction', 'Fields'], Array(6).fill('---'), ...rows]
  const marked = /(<!-- messages: generated -->\n)[\s\S]*(<!-- messages: end -->)/
  if (!marked.test(text)) fail(`${page} has no place for the table`)
  return text.replace(
    marked,
    (_, begin, end) => `${begin}\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n\n${end}`,
  )
}

function formatted(path, code) {
  return execFileSync(
    process.execPath,
    ['node_modules/@biomejs/biome/bin/biome', 'check', '--write', `--stdin-file-path=${path}`],
    {
      cwd: root,
      input: code,
      encoding: 'utf8',
    },
  )
}

const files = Object.keys(PROTOCOLS).map((protocol) => [`${folder}${protocol}.generated.ts`, protocolFile(protocol)])
files.push([`${folder}catalogue.generated.ts`, catalogueFile()])
const wanted = files.map(([path, code]) => [path, formatted(path, code)])
if (existsSync(root + page)) wanted.push([page, formatted(page, pageWithTable(readFileSync(root + page, 'utf8')))])

const stale = wanted.filter(([path, text]) => !existsSync(root + path) || readFileSync(root + path, 'utf8') !== text)
if (process.argv.includes('--check')) {
  for (const [path] of stale)
    console.error(`${path} is not what src/sv2/messages/schema.json says: npm run generate:messages`)
  if (stale.length > 0) process.exit(1)
} else {
  for (const [path, text] of stale) writeFileSync(root + path, text)
  console.log(`${stale.length} of ${wanted.length} files written`)
}
