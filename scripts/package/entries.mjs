// What `framepool` and `framepool/sv2` lead to, below dist/ and without extension.
export const entries = ['index', 'src/sv2/index']
