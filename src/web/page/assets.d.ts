/** The address of a file that the bundler puts beside the page. */
declare module "*.svg" {
  const address: string;
  export default address;
}
