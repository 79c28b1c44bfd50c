"""The built-in web pages: server-rendered, without scripts."""
