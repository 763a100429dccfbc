// What a CommonJS program does with framepool.
const { ByteRing, SlotPool } = require('framepool')
const { generateAuthorityKeypair, Sv2Session } = require('framepool/sv2')

const pool = new SlotPool(64)
pool.getWritable(5).set(Buffer.from('hello'))
const slice = pool.getDataOwned()
if (`${pool}` !== '1-------  BACK MODE') throw new Error(`${pool}`)
slice.release()
pool.close()
new ByteRing(64).intoParts().producer.write(Buffer.from('ring'))
Sv2Session.initiator({ authorityPublicKey: generateAuthorityKeypair().publicKey }).close()
import('framepool').then((module) => {
  if (module.SlotPool !== SlotPool) throw new Error('there are two of framepool')
  console.log('framepool works')
})
