using Opt.Operator.Cli;

// Read first: Root lists the commands and their flags; RunCommand wires OperatorRuntime.
return await Root.Create().Parse(args).InvokeAsync();
