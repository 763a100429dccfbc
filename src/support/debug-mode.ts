/**
 * Whether `FRAMEPOOL_DEBUG` was `1` or `true` when framepool was imported: then every object is in debug mode, and not only those that ask for
 * it.
 */
export const DEBUG = ['1', 'true'].includes(process.env.FRAMEPOOL_DEBUG ?? '')
