"""The project in other tools' words, for those who have no devmount."""
