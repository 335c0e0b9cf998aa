using System.ComponentModel;
using System.Diagnostics;
using Opt.Api.Protocol;

namespace Opt.Trainer.Diagnostics;

/// <summary>What NVIDIA's driver says of its devices: memory errors that were not corrected, pages or rows to be retired, devices that fell off the bus, and a driver that does not answer.</summary>
internal sealed class DevicesTest : IDiagnosticTest
{
    /// <summary>A driver that hangs leaves its node Ready and its devices allocatable; nvidia-smi then never answers.</summary>
    private static readonly TimeSpan DriverDeadline = TimeSpan.FromSeconds(30);

    /// <summary>nvidia-smi's exit code for a field that it does not know.</summary>
    private const int InvalidArgument = 2;

    public string Name => DiagnosticTests.Devices;

    public Finding Run(DiagnosticContext context)
    {
        if (context.Faults.Strikes(DiagnosticTests.Devices)) return Judge(NvidiaSmi.Parse(NvidiaSmi.Fields + "\n0, GPU-drill, Drill, 3, 0, No, No\n"));
        if (!File.Exists("/dev/nvidiactl")) return Finding.Skipped("no NVIDIA driver here");
        try
        {
            return Ask(context);
        }
        catch (Win32Exception e)
        {
            return Finding.Skipped($"nvidia-smi: {e.Message}");
        }
        catch (FormatException e)
        {
            return Finding.Skipped(e.Message);
        }
    }

    internal static Finding Judge(IReadOnlyList<NvidiaDevice> devices)
    {
        var faults = devices.Select(d => d.Fault is { } fault ? $"device {d.Index} ({d.Name}): {fault}" : null).OfType<string>().ToArray();
        return faults.Length > 0 ? Finding.Bad(string.Join("; ", faults)) : Finding.Good($"{devices.Count} devices, no uncorrected memory errors, nothing to retire");
    }

    private static Finding Ask(DiagnosticContext context)
    {
        using var process = Process.Start(new ProcessStartInfo("nvidia-smi", [$"--query-gpu={NvidiaSmi.Fields}", "--format=csv,noheader,nounits"]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(context.Stop), process.StandardError.ReadToEndAsync(context.Stop));
        if (!process.WaitForExit(DriverDeadline))
        {
            process.Kill();   // a process in the driver's hands may outlive even that
            return Finding.Bad($"nvidia-smi does not answer within {DriverDeadline.TotalSeconds:0} s");
        }

        var (said, complained) = (output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
        return process.ExitCode switch
        {
            0 => Judge(NvidiaSmi.Parse(NvidiaSmi.Fields + "\n" + said)),
            InvalidArgument => Finding.Skipped($"nvidia-smi is too old: {said.Trim()}"),
            var code => Finding.Bad($"nvidia-smi ended with {code}: {said.Trim()} {complained.Trim()}"),
        };
    }
}
