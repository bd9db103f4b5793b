"""The watch inside other people's engines; each file needs the package that it is called after."""
