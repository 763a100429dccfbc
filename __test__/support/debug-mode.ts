/** True where the suite runs with `FRAMEPOOL_DEBUG=1`. Tests of what is otherwise so are then left out. */
export const DEBUG = process.env.FRAMEPOOL_DEBUG === '1'
