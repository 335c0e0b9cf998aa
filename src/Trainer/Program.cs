using Opt.Api.Protocol;
using Opt.Trainer.Cli;

// Read first: Root lists the commands.
var parsed = Root.Create().Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors) Console.Error.WriteLine(ExitCodes.Line(WorkerExit.Usage, error.Message));
    return (int)WorkerExit.Usage;
}

try
{
    // Ending takes its time: ranks leave together, a checkpoint may still be under way.
    return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(10) });
}
catch (OperationCanceledException)
{
    return (int)WorkerExit.Stopped;
}
catch (Exception e)
{
    return ExitCodes.Report(e);
}
