# The names of the first documents, for those who type make; ./dev does the work.
.PHONY: all demo test capture-test lab lint bench clean

all: ## set up everything the program needs
	@./dev setup window

demo: ## the program with a moving test picture: no camera needed
	@./dev run --source pattern

test:
	@./dev test

capture-test: ## record two seconds of the test picture without a window, then check every frame of it
	@rm -rf capture-test
	@./dev run --headless --source pattern --data capture-test --host 127.0.0.1 --port 0 --no-auth --duration 2
	@./dev run check capture-test

lab: ## a Pi's software in an emulated machine, with cameras
	@./dev lab

lint:
	@./dev lint

bench:
	@./dev bench

clean:
	@rm -rf capture-test build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find blackbox_qt tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
