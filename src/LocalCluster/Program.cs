using System.CommandLine;
using Opt.LocalCluster.Cli;

// Read first: Root lists the commands.
return await Root.Create().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
