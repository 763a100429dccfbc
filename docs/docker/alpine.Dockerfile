# A program that uses framepool, on Alpine. The last stage has no npm cache and no development packages.
FROM node:24-alpine AS install
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM node:24-alpine
ENV NODE_ENV=production
WORKDIR /app
COPY --from=install /app/node_modules ./node_modules
COPY . .
# The user `node` of the image.
USER 1000
CMD ["node", "main.js"]
