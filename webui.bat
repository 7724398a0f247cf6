@echo off
rem Windows. webui.bat starts the studio, "webui.bat test" runs its tests. Settings of yours go into webui-user.bat.
setlocal
cd /d "%~dp0"
if not defined VENV_DIR set "VENV_DIR=venv"
set "SD_WEBUI_RESTART=tmp\restart"
if defined PYTHON goto :start
if exist "%VENV_DIR%\atelier.json" if exist "%VENV_DIR%\Scripts\python.exe" (
  set PYTHON="%VENV_DIR%\Scripts\python.exe"
  goto :start
)
for %%v in (3.12 3.13 3.11 3.10) do (
  py -%%v -c "" >nul 2>&1 && set "PYTHON=py -%%v" && goto :start
)
python -c "" >nul 2>&1 && set "PYTHON=python" && goto :start
echo There is no Python. Install one with:  winget install Python.Python.3.12  and start again.
pause
exit /b 1

:start
if exist tmp\restart del tmp\restart
%PYTHON% modules\bootstrap %*
set STATUS=%ERRORLEVEL%
if exist tmp\restart (
  set SD_WEBUI_RESTARTING=1
  goto :start
)
if not %STATUS%==0 pause
exit /b %STATUS%
