"""What `make up` makes of the environment that it is started in."""

from deploy.embedded.up import choose_settings


def test_settings_of_the_environment_reach_the_services() -> None:
    chosen = choose_settings({"HOWDAH_HANDLER_MODULES": "shop.handlers", "HOWDAH_ALLOWED_NETWORKS": "10.0.0.0/8"})
    assert chosen["HOWDAH_HANDLER_MODULES"] == "shop.handlers"
    assert chosen["HOWDAH_ALLOWED_NETWORKS"] == "10.0.0.0/8"
    assert chosen["HOWDAH_ALLOW_LOCAL_REPOSITORIES"] == "true"


def test_another_databases_addresses_and_secrets_do_not() -> None:
    kept = {"HOWDAH_DATABASE_URL", "HOWDAH_DIRECT_DATABASE_URL_FILE", "HOWDAH_OWNER_PASSWORD", "HOWDAH_SEALING_KEYS"}
    assert not kept & choose_settings(dict.fromkeys([*kept, "PATH"], "x")).keys()
