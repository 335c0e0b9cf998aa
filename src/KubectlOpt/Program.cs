using Opt.KubectlOpt.Cli;

// Read first: Root lists the commands; ReadCommands and WriteCommands wire them; Views holds what they print, as pure functions.
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) => (e.Cancel, _) = (true, stop.CancelAsync());
return await Root.InvokeAsync(Terminal.Real, args, stop.Token);
