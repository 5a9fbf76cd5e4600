# What users get: octet::runtime (loads and runs plans), octet::octet (adds the compiler), the CLI `octet`.
