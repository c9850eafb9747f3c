"""What a name alone tells: bears secrets, is binary, was made by a program, came from elsewhere."""

import re

# Looked into never: their names alone say that nobody here wrote or wants what is in them.
TOOL_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj", ".bzr", "cvs"})
SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".password-store"})
INSTALLED_FOLDERS = frozenset({
    "node_modules", "bower_components", "jspm_packages", ".pnpm-store", ".yarn", "site-packages",
    "dist-packages", ".venv", "venv", "virtualenv", ".tox", ".nox", "__pypackages__", ".eggs",
    ".bundle", "pods", "carthage", ".gradle", ".m2", "elm-stuff", "deriveddata",
})  # fmt: skip
CACHE_FOLDERS = frozenset({
    "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".cache", ".parcel-cache",
    ".next", ".nuxt", ".svelte-kit", ".turbo", ".terraform", ".hypothesis", ".ipynb_checkpoints",
})  # fmt: skip
# Copies of other people's work. A project may say otherwise by "-linguist-vendored".
VENDORED_FOLDERS = frozenset({
    "vendor", "vendors", "vendored", "_vendor", "third_party", "third-party", "thirdparty",
    "3rdparty", "3rd_party", "3rd-party", "godeps",
})  # fmt: skip

_SECRETS = re.compile(
    r"""
      (?P<env>(?:.*\.)?env|\.env[.\-_].*|\.envrc)
    | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)? | .*_(?:rsa|dsa|ecdsa|ed25519)
    | .*\.(?:pem|key|p12|pfx|p8|jks|jceks|keystore|kdbx?|ppk|ovpn|tfstate|keytab|agekey)
    | .*\.tfstate\.backup | .*\.auto\.tfvars
    | [._](?:netrc|pgpass|my\.cnf|htpasswd|pypirc|npmrc|git-credentials|dockercfg|s3cfg|boto)
    | (?:netrc|pgpass|my\.cnf|htpasswd)
    | \.(?:vault-token|terraformrc) | terraform\.rc
    | credentials(?:\.(?:json|ya?ml|toml|ini|csv|xml|db))?
    | (?:client_secrets?|service[-_]?account).*\.json | application_default_credentials\.json
    | secrets?\.(?:json|ya?ml|toml|ini|env|txt|properties) | master\.key | kubeconfig
    | (?:secring|trustdb)\.gpg | wallet\.dat
    """,
    re.VERBOSE,
)
_ENV_EXAMPLE = re.compile(r".*(?:example|sample|template|dist|defaults?|schema)(?:\.env)?|env")
_GENERATED = re.compile(
    r"""
      (?:package-lock|npm-shrinkwrap|packages\.lock)\.json | pnpm-lock\.yaml
    | (?:yarn|cargo|poetry|pdm|uv|pipfile|gemfile|podfile|mix|flake|pubspec|bun|deno|pixi|conan
        |rebar|symfony|composer|gopkg|glide)\.lock
    | bun\.lockb | go\.(?:sum|work\.sum) | gradle\.lockfile | \.terraform\.lock\.hcl
    | (?:package|cartfile)\.resolved
    | .*\.(?:js|mjs|cjs|css)\.map | .*[.\-]min\.(?:js|mjs|cjs|css)
    | .*_pb2(?:_grpc)?\.pyi? | .*\.pb\.(?:go|cc|h|gw\.go|swift|dart) | .*_grpc\.pb\.go
    | .*_pb\.(?:js|d\.ts|rb|ts) | .*\.g\.dart | .*\.freezed\.dart | .*\.designer\.cs
    | .*\.g(?:\.i)?\.cs | zz_generated\..*\.go
    """,
    re.VERBOSE,
)
_BINARY = frozenset({
    "7z", "a", "aac", "ai", "aif", "aiff", "apk", "ar", "avi", "avif", "bin", "blend", "bmp", "br",
    "bz2", "cab", "ckpt", "class", "cur", "dav", "db", "db3", "deb", "dex", "dll", "dmg", "doc",
    "docx", "dylib", "ear", "egg", "elf", "eot", "epub", "exe", "flac", "flv", "gem", "gguf",
    "gif", "gz", "h5", "hdf5", "heic", "heif", "icns", "ico", "ipa", "iso", "jar", "jpeg", "jpg",
    "jxl", "ko", "lib", "lz4", "lzma", "m4a", "m4v", "mdb", "mid", "mkv", "mo", "mov", "mp3",
    "mp4", "mpeg", "mpg", "msi", "npy", "npz", "o", "odp", "ods", "odt", "ogg", "ogv", "onnx",
    "opus", "otf", "parquet", "pdf", "pickle", "pkl", "png", "ppt", "pptx", "psd", "pt", "pth",
    "pyc", "pyd", "pyo", "rar", "rlib", "rmeta", "rpm", "safetensors", "so", "sqlite", "sqlite3",
    "swf", "swp", "tar", "tflite", "tgz", "tif", "tiff", "ttc", "ttf", "war", "wasm", "wav",
    "webm", "webp", "whl", "wma", "wmv", "woff", "woff2", "xcf", "xls", "xlsx", "xz", "z", "zip",
    "zst",
})  # fmt: skip


def bears_secrets(name: str) -> bool:
    """Whether such a file is made to hold credentials. ``.env.example`` is made to be shown."""
    match = _SECRETS.fullmatch(name.lower())
    if match is None:
        return False
    return not (match["env"] and _ENV_EXAMPLE.fullmatch(name.lower()))


def is_binary(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _BINARY and "." in name


def is_generated(name: str) -> bool:
    return _GENERATED.fullmatch(name.lower()) is not None
