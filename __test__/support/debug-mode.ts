/** True if the suite runs with `FRAMEPOOL_DEBUG=1`. Tests of behavior that differs in debug mode are then skipped. */
export const DEBUG = process.env.FRAMEPOOL_DEBUG === '1'
